import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { leases, nodes } from "../lib/gen/k8s/resources.ts";
import { RuntimeError } from "./runtime/runtime.ts";
import { SimulatedNode } from "./testkit/simulated-node.ts";

describe("a simulated node", () => {
  let node: SimulatedNode;
  beforeEach(async () => {
    node = new SimulatedNode();
    await node.start();
  });
  afterEach(async () => {
    await node.agent.stop();
    expect(node.clock.pendingTimers).toBe(0);
    expect(node.api.openWatches).toBe(0);
  });

  test("registers itself, Ready, and renews its lease every 10 seconds", async () => {
    await node.clock.advance(0);
    const registered = await node.api.get(nodes, { name: "n1" });
    expect(registered.metadata?.labels).toMatchObject({ "kubernetes.io/hostname": "n1", "kubernetes.io/os": "linux" });
    expect(registered.status?.conditions?.find((each) => each.type === "Ready")?.status).toBe("True");
    expect(registered.status?.allocatable).toMatchObject({ pods: "110" });
    const renewTime = async () =>
      (await node.api.get(leases, { namespace: "kube-node-lease", name: "n1" })).spec?.renewTime;
    const first = await renewTime();
    await node.clock.advance(10_000);
    const second = await renewTime();
    expect(Date.parse(second ?? "") - Date.parse(first ?? "")).toBe(10_000);
  });

  test("says within 10 seconds that it is well when somebody took it for lost", async () => {
    await node.clock.advance(0);
    const own = () => node.api.get(nodes, { name: "n1" });
    const registered = await own();
    const lost = (registered.status?.conditions ?? []).map((one) => ({ ...one, status: "Unknown" as const }));
    const status = { ...registered.status, conditions: lost };
    await node.api.update(nodes, { ...registered, status }, { subresource: "status" });
    await node.clock.advance(10_000);
    const ready = (await own()).status?.conditions?.find((each) => each.type === "Ready");
    expect(ready).toMatchObject({ status: "True", reason: "KubeletReady" });
  });

  test("brings a pod to Running and Ready, and tells so", async () => {
    await node.createPod("web");
    const pod = await node.until("web", (each) => each.status?.phase === "Running");
    expect(pod.status).toMatchObject({
      phase: "Running",
      hostIP: "10.0.0.1",
      podIP: "10.1.0.2",
      qosClass: "BestEffort",
    });
    const [status] = pod.status?.containerStatuses ?? [];
    expect(status).toMatchObject({ name: "web", ready: true, started: true, image: "example/web:1" });
    expect(status?.containerID).toMatch(/^simulated:\/\/[0-9a-f]{64}$/);
    expect(status?.state?.running?.startedAt).toBe("2026-01-01T00:00:00Z");
    const conditions = Object.fromEntries((pod.status?.conditions ?? []).map((each) => [each.type, each.status]));
    expect(conditions).toEqual({
      PodReadyToStartContainers: "True",
      Initialized: "True",
      Ready: "True",
      ContainersReady: "True",
      PodScheduled: "True",
    });
    await node.clock.advance(0);
    expect((await node.events()).sort()).toEqual([
      "Normal Created Container created",
      "Normal NodeReady Node n1 status is now: NodeReady",
      'Normal Pulled Successfully pulled image "example/web:1" in 0ms (0ms including waiting). Image size: 1000000 bytes.',
      'Normal Pulling Pulling image "example/web:1"',
      "Normal Started Container started",
      "Normal Starting Starting kubelet.",
    ]);
  });

  test("F13: a runtime that does not answer makes the node NotReady after three minutes, and Ready when it is back", async () => {
    const ready = async () => {
      const conditions = (await node.api.get(nodes, { name: "n1" })).status?.conditions;
      return conditions?.find((each) => each.type === "Ready");
    };
    node.faults.before = () => {
      throw new RuntimeError("unavailable", "connection refused");
    };
    await node.clock.advance(170_000);
    expect((await ready())?.status).toBe("True");
    await node.clock.advance(30_000);
    expect(await ready()).toMatchObject({
      status: "False",
      reason: "KubeletNotReady",
      message: "container runtime is down: connection refused",
    });
    node.faults.before = undefined;
    await node.clock.advance(2_000);
    expect((await ready())?.status).toBe("True");
    expect((await node.events()).filter((text) => text.includes("Node n1 status is now"))).toHaveLength(2);
  });

  test("an API that is away at the start: the node registers when it is back", async () => {
    await node.agent.stop();
    const late = new SimulatedNode();
    late.api.before = () => {
      throw new Error("the API is away");
    };
    const starting = late.start();
    await late.clock.advance(5_000);
    late.api.before = undefined;
    await late.clock.advance(5_000);
    await starting;
    expect((await late.api.get(nodes, { name: "n1" })).metadata?.name).toBe("n1");
    await late.agent.stop();
    expect(late.clock.pendingTimers).toBe(0);
  });

  test("stopped at any moment of its start it ends, and starts nothing more", async () => {
    const startOf = async (stopAfter: number) => {
      const young = new SimulatedNode();
      young.api.before = () => {
        throw new Error("the API is away");
      };
      const started = young.start();
      for (let turn = 0; turn < stopAfter; turn++) await Promise.resolve();
      await young.agent.stop();
      await started;
      expect(young.clock.pendingTimers).toBe(0);
    };
    for (let stopAfter = 0; stopAfter < 60; stopAfter++) await startOf(stopAfter);
  });

  test("a node object that is there keeps what others wrote to it", async () => {
    const spec = { unschedulable: true, taints: [{ key: "own", effect: "NoSchedule" }] };
    await node.api.patch(nodes, { name: "n1" }, { type: "merge", body: { spec, metadata: { labels: { zone: "z" } } } });
    await node.restart();
    await node.clock.advance(1_000);
    const found = await node.api.get(nodes, { name: "n1" });
    expect(found.spec).toMatchObject(spec);
    expect(found.metadata?.labels).toMatchObject({ zone: "z", "kubernetes.io/hostname": "n1" });
  });
});
