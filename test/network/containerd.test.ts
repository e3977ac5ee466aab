import { createHash } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContainerState, type ImageSpec } from "../../lib/gen/runtime/v1/api.ts";
import { runCommand } from "../../lib/process/command.ts";
import { type BuiltImage, buildTestImage, TEST_IMAGE_NAME } from "../../node-agent/images/busybox-image.ts";
import { memorySource, writeTar } from "../../node-agent/images/tar-archive.ts";
import { eventually } from "../kit/eventually.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";
import { TestNode } from "./test-node.ts";

const CNI_RESULTS = "/var/lib/cni/results";
const SHIM_SOCKETS = "/run/containerd/s";

/** A plugin in place of ours that goes wrong in ADD; other verbs reach ours, unless `del` says otherwise. */
function faultyPlugin(node: TestNode, add: string, del?: string): { [Symbol.dispose](): void } {
  const file = path.join(node.cniDir, "bin", "bridge");
  const real = `${file}-real`;
  const script = `#!/bin/sh
case "$CNI_COMMAND" in
ADD) ${add} ;;
DEL) ${del ?? `exec '${real}'`} ;;
*) exec '${real}' ;;
esac
`;
  const text = readFileSync(file, "utf8");
  const write = (name: string, content: string): void => {
    writeFileSync(name, content);
    chmodSync(name, 0o755);
  };
  write(real, text);
  write(file, script);
  return { [Symbol.dispose]: () => write(file, text) };
}

describe.skipIf(skipping("network", whyNotContainers()))("a containerd of a node's own", () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await TestNode.start();
  });
  afterAll(async () => node[Symbol.asyncDispose]());

  test("images are loaded once, and CRI knows them at once", async () => {
    const image = await buildTestImage(runCommand);
    expect((await buildTestImage(runCommand)).digest).toBe(image.digest);
    const [first] = await node.containers.loadImages(memorySource(image.archive));
    expect(first).toMatchObject({ name: TEST_IMAGE_NAME, digest: image.digest });
    expect(first!.movedBytes).toBeGreaterThan(1_000_000);
    const [again] = await node.containers.loadImages(memorySource(image.archive));
    expect(again!.movedBytes).toBe(0);
    const { image: known } = await node.images.imageStatus({ image: imageSpec(TEST_IMAGE_NAME), verbose: false });
    expect(known?.repoTags).toEqual([TEST_IMAGE_NAME]);
    const unpacked = await node.machine.run([
      "ctr",
      "-a",
      node.containers.socketPath,
      "-n",
      "k8s.io",
      "snapshots",
      "list",
    ]);
    expect(unpacked).toContain("Committed");
  });

  test("a docker-archive with a compressed layer runs, and collection in containerd spares what is loaded", async () => {
    const archive = await dockerArchive("archived:1", gzipSync(layerOf(await buildTestImage(runCommand))));
    const [loaded] = await node.containers.loadImages(memorySource(archive));
    expect(loaded!.name).toBe("docker.io/library/archived:1");
    const sandbox = await node.sandbox("archived");
    await node.container(sandbox, "docker.io/library/archived:1");
    await node.runtime.removePodSandbox({ podSandboxId: sandbox.id });

    const ctr = (...args: string[]) =>
      node.machine.run(["ctr", "-a", node.containers.socketPath, "-n", "k8s.io", ...args]);
    const blobs = async () => (await ctr("content", "ls", "-q")).trim().split("\n");
    const before = await blobs();
    await node.images.removeImage({ image: imageSpec("docker.io/library/archived:1") });
    await eventually(async () => expect((await blobs()).length).toBe(before.length - 3));
    const [again] = await node.containers.loadImages(memorySource((await buildTestImage(runCommand)).archive));
    expect(again!.movedBytes).toBe(0);
  });

  test("a load that breaks off leaves nothing, and the next one is whole", async () => {
    const layer = writeTar([{ path: "large", mode: 0o644, content: Buffer.alloc(3_000_000, 7) }]);
    const archive = await dockerArchive("broken:1", layer);
    const source = memorySource(archive);
    let reads = 0;
    const breaking = {
      sizeBytes: source.sizeBytes,
      read: (offset: number, length: number) =>
        length > 100_000 && ++reads > 4 ? Promise.reject(new Error("the disk is gone")) : source.read(offset, length),
    };
    await expect(node.containers.loadImages(breaking)).rejects.toThrow("the disk is gone");
    expect(
      await node.machine.run(["ctr", "-a", node.containers.socketPath, "-n", "k8s.io", "leases", "ls", "-q"]),
    ).toBe("");
    const [loaded] = await node.containers.loadImages(source);
    expect(loaded!.movedBytes).toBeGreaterThan(1_000_000);
  });

  test("the test image answers with its host name, from pod and machine, and stops at once", async () => {
    const sandbox = await node.sandbox("answering", { hostPort: 9080 });
    const container = await node.container(sandbox, TEST_IMAGE_NAME);
    const url = `http://${sandbox.address}:8080/`;
    const fetched = await eventually(() => node.machine.run(["busybox", "wget", "-qO-", url]));
    expect(fetched).toBe("answering\n");
    const inside = await node.runtime.execSync({ containerId: container, cmd: ["wget", "-qO-", url], timeout: 5n });
    expect(inside.stdout.toString()).toBe("answering\n");
    expect(await node.machine.run(["busybox", "wget", "-qO-", `http://${node.plan.nodeAddress}:9080/`])).toBe(
      "answering\n",
    );
    const many = await Promise.all(
      Array.from({ length: 10 }, () => node.machine.run(["busybox", "wget", "-qO-", url])),
    );
    expect(new Set(many)).toEqual(new Set(["answering\n"]));

    const startedMs = performance.now();
    await node.runtime.stopContainer({ containerId: container, timeout: 30n });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    const { status } = await node.runtime.containerStatus({ containerId: container, verbose: false });
    expect(status).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 0 });
    await node.runtime.stopPodSandbox({ podSandboxId: sandbox.id });
    await node.runtime.removePodSandbox({ podSandboxId: sandbox.id });
    expect(node.reservedAddresses()).toEqual([]);
  });

  test("invariant 43: a new process adopts containerd, and after containerd was killed its containers", async () => {
    const sandbox = await node.sandbox("lasting");
    const container = await node.container(sandbox, TEST_IMAGE_NAME);
    const startedAt = async () =>
      (await node.runtime.containerStatus({ containerId: container, verbose: false })).status;
    const before = await startedAt();
    const pid = node.containerdPid;
    await node.start();
    expect(node.containerdPid).toBe(pid);

    process.kill(pid, "SIGKILL");
    await node.start();
    expect(node.containerdPid).not.toBe(pid);
    const after = await eventually(startedAt);
    expect(after).toMatchObject({ state: ContainerState.CONTAINER_RUNNING, startedAt: before!.startedAt });
    expect(await node.machine.run(["busybox", "wget", "-qO-", `http://${sandbox.address}:8080/`])).toBe("lasting\n");
    await node.runtime.stopPodSandbox({ podSandboxId: sandbox.id });
    await node.runtime.removePodSandbox({ podSandboxId: sandbox.id });
  });

  const takeAddress = `'HOST_LOCAL' >/dev/null;`;
  test.each<[string, string, string | undefined]>([
    ["exits with 1", "exit 1", undefined],
    ["prints garbage", "cat >/dev/null; echo '{garbage'; exit 0", undefined],
    ["prints garbage for an error", "echo oops; exit 1", undefined],
    ["prints 20 MB", "cat >/dev/null; head -c 20000000 /dev/zero; exit 0", undefined],
    ["says try again later", `echo '{"cniVersion":"1.0.0","code":11,"msg":"later"}'; exit 1`, undefined],
    ["takes an address and crashes", `${takeAddress} kill -9 $$`, undefined],
    ["takes an address and crashes, and DEL fails too", `${takeAddress} kill -9 $$`, "exit 1"],
  ])("F14, invariant 49: a plugin that %s fails the sandbox and leaks no address", async (_, add, del) => {
    const hostLocal = path.join(node.cniDir, "bin", "host-local");
    {
      using _faulty = faultyPlugin(node, add.replace("HOST_LOCAL", hostLocal), del);
      await expect(node.sandbox("failing")).rejects.toThrow();
      if (del !== undefined) expect(node.reservedAddresses()).toHaveLength(1);
    }
    // A sandbox whose network could not be given back stays listed, for the agent to remove.
    for (const podSandboxId of await node.sandboxIds()) await node.runtime.removePodSandbox({ podSandboxId });
    expect(await node.podNetwork().collectGarbage(() => node.sandboxIds())).toBeUndefined();
    expect(node.reservedAddresses()).toEqual([]);
    const sandbox = await node.sandbox("afterwards");
    expect(node.reservedAddresses()).toEqual([sandbox.address]);
    expect(await node.podNetwork().collectGarbage(() => node.sandboxIds())).toBeUndefined();
    expect(node.reservedAddresses()).toEqual([sandbox.address]);
    await node.runtime.removePodSandbox({ podSandboxId: sandbox.id });
    expect(node.reservedAddresses()).toEqual([]);
  });

  test("F14: a plugin that hangs fails by the caller's deadline", async () => {
    using _faulty = faultyPlugin(node, "exec sleep 30");
    await expect(node.sandbox("hanging", { timeoutMs: 2_000 })).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  test("F14: without the plugin's executable the agent's STATUS says why", async () => {
    expect(await node.podNetwork().problem()).toBeUndefined();
    const file = path.join(node.cniDir, "bin", "bridge");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, "#!/nonexistent\n");
    expect(await node.podNetwork().problem()).toContain("bridge");
    writeFileSync(file, text);
    expect(await node.podNetwork().problem()).toBeUndefined();
  });
});

describe.skipIf(skipping("network", whyNotContainers()))("stopping a node's containerd", () => {
  test("where no overlay can be had images are copied, and run", async () => {
    await using node = await TestNode.start("native");
    await node.containers.loadTestImage();
    const container = await node.container(await node.sandbox("copied"), TEST_IMAGE_NAME);
    const cmd = ["cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/mounts"];
    const { stdout } = await node.runtime.execSync({ containerId: container, cmd, timeout: 5n });
    expect(stdout.toString()).toMatch(/^0\n/);
    expect(stdout.toString()).not.toContain("overlay");
    await node.containers.stop();
    expect(await node.leftovers()).toEqual([]);
  });

  test.each([false, true])("leaves nothing; containerd killed before: %s", async (killed) => {
    await using node = await TestNode.start();
    await node.containers.loadTestImage();
    const sandboxes = [await node.sandbox("one"), await node.sandbox("two")];
    for (const sandbox of sandboxes) await node.container(sandbox, TEST_IMAGE_NAME);
    expect((await node.leftovers()).length).toBeGreaterThan(5);
    if (killed) process.kill(node.containerdPid, "SIGKILL");
    await node.containers.stop();
    expect(await node.leftovers()).toEqual([]);
    for (const { id } of sandboxes) {
      expect([...list(CNI_RESULTS), ...list(SHIM_SOCKETS)].filter((name) => name.includes(id))).toEqual([]);
    }
    await node.containers.stop();

    // What the next start finds: images kept, reservations of pods that are no more.
    expect(node.reservedAddresses()).toHaveLength(2);
    await node.start();
    expect(await node.podNetwork().collectGarbage(async () => [])).toBeUndefined();
    expect(node.reservedAddresses()).toEqual([]);
  });
});

function list(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}

function imageSpec(image: string): ImageSpec {
  return { image, annotations: {}, userSpecifiedImage: "", runtimeHandler: "", imageRef: "" };
}

/** The one layer of an image that we have built. */
function layerOf(image: BuiltImage): Uint8Array {
  const index = writtenEntries(image.archive);
  return [...index.values()].sort((a, b) => b.length - a.length)[0]!;
}

/** Files of a tar by name; ours have no long names. */
function writtenEntries(tar: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (let offset = 0; tar[offset] !== 0 && offset < tar.length; ) {
    const header = Buffer.from(tar.subarray(offset, offset + 512));
    const sizeBytes = Number.parseInt(header.toString("latin1", 124, 135), 8);
    files.set(
      header.toString("latin1", 0, 100).replace(/\0.*/, ""),
      tar.subarray(offset + 512, offset + 512 + sizeBytes),
    );
    offset += 512 + Math.ceil(sizeBytes / 512) * 512;
  }
  return files;
}

/** As \`docker save\` of older versions writes it. */
async function dockerArchive(name: string, layer: Uint8Array): Promise<Uint8Array> {
  const isGzip = layer[0] === 0x1f;
  const unpacked = isGzip ? gunzipSync(layer) : layer;
  const diffId = `sha256:${createHash("sha256").update(unpacked).digest("hex")}`;
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/bin/web"], Env: ["PATH=/bin"], Labels: { name } },
    rootfs: { type: "layers", diff_ids: [diffId] },
  });
  return writeTar([
    { path: "config.json", mode: 0o644, content: Buffer.from(config) },
    { path: "0/layer.tar", mode: 0o644, content: layer },
    {
      path: "manifest.json",
      mode: 0o644,
      content: Buffer.from(JSON.stringify([{ Config: "config.json", RepoTags: [name], Layers: ["0/layer.tar"] }])),
    },
  ]);
}
