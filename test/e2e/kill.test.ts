import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { keelson, TestCluster } from "../kit/keelson.ts";
import { runCommand } from "../kit/kubectl.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";

interface ContainerFacts {
  readonly containerID: string;
  readonly startedAt: string;
  readonly restartCount: number;
}

/** F1: the process of every role is killed at moments that nobody chose; containers and writes survive it. */
describe.skipIf(skipping("e2e/kill", whyNotContainers()))("kill -9 of Keelson", () => {
  let cluster: TestCluster;
  let image = "";

  beforeAll(async () => {
    cluster = await TestCluster.up(["--runtime=containerd"]);
    image = (await keelson(["image", "build-test", `--data-dir=${cluster.dataDir}`])).stdout.trim();
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  async function kill(): Promise<void> {
    const { pid } = await cluster.status();
    expect(pid).not.toBeNull();
    process.kill(pid!, "SIGKILL");
    await eventually(() =>
      expect(existsSync(`/proc/${pid}/exe`) && readFileSync(`/proc/${pid}/stat`, "latin1").includes(") R")).toBe(false),
    );
  }

  async function facts(): Promise<Map<string, ContainerFacts>> {
    const list = JSON.parse(await cluster.kubectl.ok(["get", "pods", "-o", "json"])) as {
      items: {
        metadata: { name: string };
        status: {
          containerStatuses?: {
            containerID: string;
            restartCount: number;
            state: { running?: { startedAt: string } };
          }[];
        };
      }[];
    };
    const found = new Map<string, ContainerFacts>();
    for (const pod of list.items) {
      const status = pod.status.containerStatuses?.[0];
      const startedAt = status?.state.running?.startedAt;
      if (status !== undefined && startedAt !== undefined) {
        found.set(pod.metadata.name, { containerID: status.containerID, startedAt, restartCount: status.restartCount });
      }
    }
    return found;
  }

  test("invariant 43: what runs goes on, is adopted, and is neither restarted nor doubled", async () => {
    for (const name of ["a", "b", "c"]) await cluster.kubectl.ok(["run", name, `--image=${image}`, "--port=8080"]);
    const before = await eventually(async () => {
      const all = await facts();
      expect(all.size).toBe(3);
      return all;
    });
    const address = await cluster.kubectl.ok(["get", "pod", "a", "-o", "jsonpath={.status.podIP}"]);
    await kill();
    const answer = await runCommand(["curl", "-sS", "--max-time", "3", `http://${address}:8080/`]);
    expect(answer, "a pod answers while Keelson is dead").toMatchObject({ code: 0, stdout: "a\n" });
    await cluster.upAgain();
    await eventually(async () => expect(await cluster.kubectl.ok(["get", "nodes"])).toMatch(/\bReady\b/));
    expect(await facts()).toEqual(before);
    await cluster.kubectl.ok(["delete", "pod", "a", "b", "c", "--grace-period=1"]);
  });

  test("invariant 1: every write that kubectl saw acknowledged is there after a kill in the middle of many", async () => {
    const acknowledged: string[] = [];
    let stop = false;
    const writer = (async () => {
      for (let i = 0; !stop; i++) {
        const result = await cluster.kubectl.run(["create", "configmap", `note-${i}`, `--from-literal=number=${i}`]);
        if (result.code === 0) acknowledged.push(`note-${i}`);
        else stop = true;
      }
    })();
    await eventually(() => expect(acknowledged.length).toBeGreaterThan(5));
    await kill();
    await writer;
    await cluster.upAgain();
    const names = (await cluster.kubectl.ok(["get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}"])).split(
      " ",
    );
    for (const name of acknowledged) expect(names).toContain(name);
  });

  test("killed while pods start: each ends up running once", async () => {
    const names = ["p1", "p2", "p3", "p4"];
    for (const delayMs of [0, 150, 400]) {
      await cluster.kubectl.ok(["create", "-f", "-"], {
        input: names.map((name) => podManifest(name, image)).join("---\n"),
      });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await kill();
      await cluster.upAgain();
      await eventually(async () => {
        const all = await facts();
        expect([...all.keys()].sort()).toEqual(names);
        // A start that containerd gave up when its caller died counts as an attempt, as it does upstream.
        for (const one of all.values()) expect(one.restartCount).toBeLessThanOrEqual(1);
      });
      // What containerd forgot of a sandbox whose maker was killed is found and ended after a while.
      await eventually(async () => expect(await sandboxProcesses()).toBe(names.length), { timeoutMs: 60_000 });
      await cluster.kubectl.ok(["delete", "pod", ...names, "--grace-period=1"]);
    }
  });

  /** Shims of this cluster's containerd: one per sandbox, whoever knows of it. */
  async function sandboxProcesses(): Promise<number> {
    const { id } = JSON.parse(readFileSync(path.join(cluster.dataDir, "cluster.json"), "utf8")) as { id: string };
    const shims = await runCommand(["pgrep", "-f", `containerd-shim.*/run/keelson/${id}/`]);
    return shims.stdout.split("\n").filter((line) => line !== "").length;
  }
});

function podManifest(name: string, image: string): string {
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  containers:
  - {name: main, image: "${image}"}
`;
}
