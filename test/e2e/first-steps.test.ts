import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Encoding, ResourcesDefinition } from "../../lib/gen/keelson/api/v1/resources.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { eventually } from "../kit/eventually.ts";
import { keelson, TestCluster } from "../kit/keelson.ts";
import { runCommand } from "../kit/kubectl.ts";
import { skipping, whyNotContainers, whyNotLayout } from "../kit/requirements.ts";

const LAYOUTS = ["all-in-one", "split"] as const;

/** "What a person does" of the README, word for word, with real containers, in both layouts. */
for (const layout of LAYOUTS) {
  const reason = whyNotContainers() || whyNotLayout(layout);
  const skips = skipping(`e2e/first-steps/${layout}`, reason);
  describe.skipIf(skips)(`first steps with containerd, ${layout}`, () => firstSteps(layout));
}

function firstSteps(layout: (typeof LAYOUTS)[number]): void {
  let cluster: TestCluster;
  let folder = "";
  let image = "";

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "keelson-e2e-"));
    cluster = await TestCluster.up(["--runtime=containerd", `--layout=${layout}`]);
    const built = await keelson(["image", "build-test", `--data-dir=${cluster.dataDir}`]);
    expect(built.stderr).toBe("");
    image = built.stdout.trim();
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  function podIp(name: string): Promise<string> {
    return eventually(async () => {
      const wide = await cluster.kubectl.ok(["get", "pod", name, "-o", "jsonpath={.status.phase} {.status.podIP}"]);
      expect(wide).toMatch(/^Running \d+\.\d+\.\d+\.\d+$/);
      return wide.split(" ")[1]!;
    });
  }

  test("up ends with two export lines and says what to type next", () => {
    expect(cluster.upOutput).toContain(`export KUBECONFIG=${cluster.dataDir}/kubeconfig`);
    expect(cluster.upOutput).toMatch(/export PATH=.*:\$PATH/);
    expect(cluster.upOutput).toContain("kubectl run web --image=");
  });

  test("the node is Ready", async () => {
    expect(await cluster.kubectl.ok(["get", "nodes"])).toMatch(/\bReady\b/);
  });

  test("kubectl run: the pod runs, answers on its own address, and can be described", async () => {
    expect(await cluster.kubectl.ok(["run", "web", `--image=${image}`, "--port=8080"])).toBe("pod/web created\n");
    const address = await podIp("web");
    const answer = await eventually(async () => {
      const result = await runCommand(["curl", "-sS", "--max-time", "2", `http://${address}:8080/`]);
      expect(result.code, result.stderr).toBe(0);
      return result.stdout;
    });
    expect(answer).toContain("web");
    const wide = await cluster.kubectl.ok(["get", "pods", "-o", "wide"]);
    expect(wide).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE/);
    expect(wide).toContain(address);
    const described = await cluster.kubectl.ok(["describe", "pod", "web"]);
    for (const event of ["Scheduled", "Pulled", "Created", "Started"]) expect(described).toContain(event);
  });

  test("kubectl logs prints what the container wrote", async () => {
    await cluster.kubectl.ok([
      "run",
      "talker",
      `--image=${image}`,
      "--restart=Never",
      "--command",
      "--",
      "sh",
      "-c",
      "echo one; echo two >&2",
    ]);
    await eventually(async () => {
      expect((await cluster.kubectl.ok(["logs", "talker"])).split("\n").sort()).toEqual(["", "one", "two"]);
    });
    await eventually(async () => {
      expect(await cluster.kubectl.ok(["get", "pod", "talker"])).toContain("Completed");
    });
  });

  test("kubectl apply, label, get -l, delete", async () => {
    const manifest = path.join(folder, "pod.yaml");
    const yaml = [
      "apiVersion: v1",
      "kind: Pod",
      "metadata:",
      "  name: applied",
      "spec:",
      "  containers:",
      "  - name: main",
      `    image: ${image}`,
      "",
    ];
    writeFileSync(manifest, yaml.join("\n"));
    expect(await cluster.kubectl.ok(["apply", "-f", manifest])).toBe("pod/applied created\n");
    expect(await cluster.kubectl.ok(["apply", "-f", manifest])).toBe("pod/applied unchanged\n");
    await podIp("applied");
    expect(await cluster.kubectl.ok(["label", "pod", "applied", "tier=front"])).toBe("pod/applied labeled\n");
    expect(await cluster.kubectl.ok(["get", "pods", "-l", "tier=front", "-o", "name"])).toBe("pod/applied\n");
    expect(await cluster.kubectl.ok(["delete", "pod", "applied", "--grace-period=2"])).toContain(
      'pod "applied" deleted',
    );
    expect(await cluster.kubectl.ok(["get", "pods", "-l", "tier=front", "-o", "name"])).toBe("");
  });

  test("up again is idempotent", async () => {
    const before = await cluster.status();
    expect(await cluster.upAgain()).toContain("runs already");
    expect((await cluster.status()).pid).toBe(before.pid);
  });

  test("gRPC Resources answers where status says, to the administrator's certificate", async () => {
    const { clusters, users } = JSON.parse(readFileSync(path.join(cluster.dataDir, "kubeconfig"), "utf8"));
    const pem = (data: string) => Buffer.from(data, "base64").toString("utf8");
    const { addresses } = await cluster.status();
    const tls = {
      caPem: pem(clusters[0].cluster["certificate-authority-data"]),
      certPem: pem(users[0].user["client-certificate-data"]),
      keyPem: pem(users[0].user["client-key-data"]),
    };
    const channel = new GrpcChannel({ target: addresses["grpc"] ?? "", tls });
    try {
      const resources = channel.client(ResourcesDefinition);
      const target = { group: "", version: "v1", resource: "pods", namespace: "default", name: "web", subresource: "" };
      const answer = await resources.get({ target, encoding: Encoding.ENCODING_JSON, resourceVersion: "" });
      expect(JSON.parse(answer.object?.data.toString("utf8") ?? "")).toMatchObject({ kind: "Pod" });
    } finally {
      channel.close();
    }
  });

  test("image load says what is wrong with a file that is no archive", async () => {
    const file = path.join(folder, "not-an-archive.tar");
    writeFileSync(file, "no tar\n");
    const loaded = await keelson(["image", "load", file, `--data-dir=${cluster.dataDir}`]);
    expect(loaded.code).toBe(2);
    expect(loaded.stderr).toMatch(/^keelson: .*not an image archive/);
  });
}
