import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { eventually } from "../kit/eventually.ts";
import { skipping, whyNotContainers, whyNotPrograms } from "../kit/requirements.ts";
import { DocumentedCluster, leftovers } from "./documented-cluster.ts";

const reason = whyNotContainers() || whyNotPrograms(["haproxy", "nats-server"]);

/** The cluster that docs/operations.md describes, on machines that see each other by their network alone. */
describe.skipIf(skipping("machines", reason))("a cluster on machines of one's own", () => {
  let cluster: DocumentedCluster;
  let image = "";
  beforeAll(async () => {
    cluster = await DocumentedCluster.start();
  });
  afterAll(async () => {
    if (cluster === undefined) return;
    await cluster[Symbol.asyncDispose]();
    expect(await leftovers(cluster.network)).toEqual([]);
  });

  test("a node joins by a token, and both nodes are Ready", async () => {
    await cluster.join();
    await eventually(() =>
      cluster.kubectl.ok(["wait", "--for=condition=Ready", "nodes/worker-1", "nodes/worker-2", "--timeout=60s"]),
    );
    const addresses = await cluster.kubectl.ok([
      "get",
      "nodes",
      "-o",
      "jsonpath={range .items[*]}{.metadata.name}={.status.addresses[0].address} {end}",
    ]);
    expect(addresses).toBe("worker-1=10.0.0.11 worker-2=10.0.0.12 ");
  });

  test("pods run on both, and kubectl gets their logs from the nodes", async () => {
    const { worker1, worker2 } = cluster.machines;
    image = await cluster.loadImage(worker1);
    await cluster.loadImage(worker2);
    await cluster.kubectl.ok(["create", "deployment", "web", `--image=${image}`, "--replicas=4"]);
    await cluster.kubectl.ok(["rollout", "status", "deployment/web", "--timeout=60s"], { timeoutMs: 70_000 });
    const { items } = JSON.parse(await cluster.kubectl.ok(["get", "pods", "-l", "app=web", "-o", "json"]));
    const nodes = items.map((pod: Pod) => pod.spec?.nodeName);
    expect([...new Set(nodes)].sort()).toEqual(["worker-1", "worker-2"]);
    for (const pod of items) expect(await cluster.kubectl.ok(["logs", pod.metadata.name])).toContain(pod.metadata.name);
  });
});
