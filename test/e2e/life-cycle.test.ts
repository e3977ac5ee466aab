import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { keelson, TestCluster } from "../kit/keelson.ts";
import { skipping, whyNotContainers, whyNotLayout } from "../kit/requirements.ts";
import { clusterId, traces } from "../kit/traces.ts";

describe("a simulated cluster", () => {
  test("two live beside each other, each with its own objects; status tells of both", async () => {
    await using first = await TestCluster.up(["--runtime=simulated", "--nodes=3"]);
    await using second = await TestCluster.up(["--runtime=simulated"]);
    await first.kubectl.ok(["create", "namespace", "only-here"]);
    expect((await second.kubectl.run(["get", "namespace", "only-here"])).stderr).toContain("NotFound");
    expect((await first.kubectl.ok(["get", "nodes", "-o", "name"])).trim().split("\n")).toHaveLength(3);
    const status = await first.status();
    expect(status.ready).toBe(true);
    expect(status.roles.map((role) => role.name)).toEqual([
      "store",
      "api-server",
      "scheduler",
      "controller-manager",
      "node-agent",
    ]);
    expect(status.addresses["api"]).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(status.pid).not.toBe((await second.status()).pid);
  });

  test("objects, addresses and certificates survive down and up", async () => {
    await using cluster = await TestCluster.up(["--runtime=simulated"]);
    await cluster.kubectl.ok(["run", "web", "--image=anything"]);
    await eventually(async () => expect(await cluster.kubectl.ok(["get", "pod", "web"])).toContain("Running"));
    const uid = await cluster.kubectl.ok(["get", "pod", "web", "-o", "jsonpath={.metadata.uid}"]);
    const before = await cluster.status();
    expect((await keelson(["down", `--data-dir=${cluster.dataDir}`])).code).toBe(0);
    expect((await cluster.status()).pid).toBeNull();
    await cluster.upAgain();
    expect((await cluster.status()).addresses).toEqual(before.addresses);
    expect(await cluster.kubectl.ok(["get", "pod", "web", "-o", "jsonpath={.metadata.uid}"])).toBe(uid);
  });

  test("--kubeconfig writes the file where it is asked for, and its folder", async () => {
    await using cluster = await TestCluster.up(["--runtime=simulated"]);
    const target = path.join(cluster.dataDir, "run", "elsewhere", "config");
    expect(await cluster.upAgain([`--kubeconfig=${target}`])).toContain(`export KUBECONFIG=${target}`);
    expect(readFileSync(target, "utf8")).toBe((await keelson(["kubeconfig", `--data-dir=${cluster.dataDir}`])).stdout);
  });

  test("another runtime, port or number of nodes than the running one is refused", async () => {
    await using cluster = await TestCluster.up(["--runtime=simulated"]);
    for (const flag of ["--runtime=containerd", "--api-port=1", "--nodes=9"]) {
      const result = await keelson(["up", `--data-dir=${cluster.dataDir}`, flag]);
      expect(result.code).toBe(2);
      expect(result.stderr).toContain(flag);
    }
  });
});

describe.each(["all-in-one", "split"] as const)("down with real containers, %s", (layout) => {
  const reason = whyNotContainers() || whyNotLayout(layout);
  test.skipIf(skipping(`e2e/life-cycle/${layout}`, reason))(
    "takes out of the kernel all that up and its pods put in",
    async () => {
      const cluster = await TestCluster.up(["--runtime=containerd", `--layout=${layout}`]);
      const id = clusterId(cluster.dataDir);
      try {
        const image = (await keelson(["image", "build-test", `--data-dir=${cluster.dataDir}`])).stdout.trim();
        await cluster.kubectl.ok(["run", "web", `--image=${image}`]);
        await eventually(async () => expect(await cluster.kubectl.ok(["get", "pod", "web"])).toContain("Running"));
        expect(await traces(id, cluster.dataDir)).not.toEqual([]);
      } finally {
        await cluster[Symbol.asyncDispose]();
      }
      expect(await traces(id, cluster.dataDir)).toEqual([]);
      expect(existsSync(cluster.dataDir)).toBe(false);
    },
  );
});
