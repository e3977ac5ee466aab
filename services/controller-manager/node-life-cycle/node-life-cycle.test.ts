import { afterEach, expect, test } from "vitest";
import type { MemoryApi } from "../../../lib/client/testkit/memory-api.ts";
import { formatTime } from "../../../lib/core/clock.ts";
import type { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import type { Toleration } from "../../../lib/gen/k8s/core/v1.ts";
import { coreEvents, leases, nodes, pods } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerManager } from "../controller-manager.ts";
import { managerWorld } from "../testkit/manager-world.ts";

const running: ControllerManager[] = [];
afterEach(async () => {
  for (const manager of running.splice(0)) await manager.stop();
});

async function world() {
  const made = managerWorld(["node-lifecycle", "taint-eviction"]);
  running.push(made.manager);
  await made.manager.start();
  return made;
}

async function register(api: MemoryApi, name: string, ready?: "True" | "False") {
  const conditions = ready === undefined ? [] : [{ type: "Ready", status: ready, reason: "KubeletReady" }];
  await api.create(nodes, { metadata: { name }, spec: {}, status: { conditions } });
  await api.create(leases, { metadata: { name, namespace: "kube-node-lease" }, spec: { renewTime: "t0" } });
}

async function renew(api: MemoryApi, clock: VirtualClock, name: string) {
  const body = { spec: { renewTime: formatTime(clock.nowMs()) } };
  await api.patch(leases, { namespace: "kube-node-lease", name }, { type: "merge", body });
}

async function taintsOf(api: MemoryApi, name: string) {
  const node = await api.get(nodes, { name });
  return (node.spec?.taints ?? [])
    .map(({ key, effect }) => `${key?.slice("node.kubernetes.io/".length)}:${effect}`)
    .sort();
}

const readyOf = async (api: MemoryApi, name: string) =>
  (await api.get(nodes, { name })).status?.conditions?.find((condition) => condition.type === "Ready");

async function say(api: MemoryApi, name: string, status: "True" | "False") {
  const body = { status: { conditions: [{ type: "Ready", status, reason: "Said" }] } };
  await api.patch(nodes, { name }, { type: "merge", body }, { subresource: "status" });
}

async function runPod(api: MemoryApi, name: string, nodeName: string, tolerations: Toleration[] = []) {
  await api.create(pods, {
    metadata: { name, namespace: "x" },
    spec: { nodeName, tolerations, containers: [{ name: "c" }] },
    status: { conditions: [{ type: "Ready", status: "True" }] },
  });
  const body = { status: { conditions: [{ type: "Ready", status: "True" }] } };
  await api.patch(pods, { namespace: "x", name }, { type: "merge", body }, { subresource: "status" });
}

test("a new node is tainted not-ready until it says Ready", async () => {
  const { api, clock } = await world();
  await register(api, "n");
  await clock.advance(100);
  expect(await taintsOf(api, "n")).toEqual(["not-ready:NoExecute", "not-ready:NoSchedule"]);
  await say(api, "n", "True");
  await clock.advance(100);
  expect(await taintsOf(api, "n")).toEqual([]);
  const { items } = await api.list(coreEvents);
  expect(items.map((event) => event.message)).toEqual(["Node n event: Registered Node n in Controller"]);
});

test("a silent node becomes Unknown and unreachable after the grace period, not before, and comes back", async () => {
  const { api, clock } = await world();
  await register(api, "n", "True");
  await register(api, "other", "True");
  for (let i = 0; i < 4; i++) {
    await clock.advance(10_000);
    await renew(api, clock, "n");
    await renew(api, clock, "other");
  }
  for (let i = 0; i < 4; i++) {
    await clock.advance(10_000);
    await renew(api, clock, "other");
  }
  expect((await readyOf(api, "n"))?.status).toBe("True");
  await clock.advance(16_000);
  expect(await readyOf(api, "n")).toMatchObject({ status: "Unknown", reason: "NodeStatusUnknown" });
  expect(await taintsOf(api, "n")).toEqual(["unreachable:NoExecute", "unreachable:NoSchedule"]);
  expect((await readyOf(api, "other"))?.status).toBe("True");
  await renew(api, clock, "n");
  await say(api, "n", "True");
  await clock.advance(6_000);
  expect(await taintsOf(api, "n")).toEqual([]);
});

test("taints of others and of conditions live beside ours", async () => {
  const { api, clock } = await world();
  const taints = [{ key: "mine", effect: "NoExecute" }];
  await api.create(nodes, {
    metadata: { name: "n" },
    spec: { taints, unschedulable: true },
    status: {
      conditions: [
        { type: "Ready", status: "True" },
        { type: "DiskPressure", status: "True" },
      ],
    },
  });
  await api.patch(
    nodes,
    { name: "n" },
    {
      type: "merge",
      body: {
        status: {
          conditions: [
            { type: "Ready", status: "True" },
            { type: "DiskPressure", status: "True" },
          ],
        },
      },
    },
    { subresource: "status" },
  );
  await clock.advance(100);
  const node = await api.get(nodes, { name: "n" });
  expect(node.spec?.taints?.map((taint) => `${taint.key}:${taint.effect}`)).toEqual([
    "mine:NoExecute",
    "node.kubernetes.io/disk-pressure:NoSchedule",
    "node.kubernetes.io/unschedulable:NoSchedule",
  ]);
});

test("pods leave a lost node when their toleration has run out; their readiness goes at once", async () => {
  const { api, clock } = await world();
  await register(api, "n", "True");
  await register(api, "other", "True");
  const tolerate = (tolerationSeconds?: number): Toleration => ({
    key: "node.kubernetes.io/unreachable",
    operator: "Exists",
    effect: "NoExecute",
    ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
  });
  await runPod(api, "leaves", "n", [tolerate(300)]);
  await runPod(api, "stays", "n", [tolerate()]);
  await runPod(api, "now", "n");
  await clock.advance(100);
  const keepOther = async (seconds: number) => {
    for (let i = 0; i < seconds / 10; i++) {
      await clock.advance(10_000);
      await renew(api, clock, "other");
    }
  };
  await keepOther(60);
  expect((await readyOf(api, "n"))?.status).toBe("Unknown");
  const dying = async () =>
    (await api.list(pods)).items
      .filter((pod) => pod.metadata?.deletionTimestamp !== undefined)
      .map((pod) => pod.metadata?.name);
  expect(await dying()).toEqual(["now"]);
  for (const pod of (await api.list(pods)).items)
    expect(pod.status?.conditions?.find((condition) => condition.type === "Ready")?.status).toBe("False");
  await keepOther(280);
  expect(await dying()).toEqual(["now"]);
  await keepOther(40);
  expect(await dying()).toEqual(["leaves", "now"]);
});

test("nobody leaves when every node is silent: the fault may be ours (F10)", async () => {
  const { api, clock } = await world();
  await register(api, "a", "True");
  await register(api, "b", "True");
  await runPod(api, "p", "a");
  await runPod(api, "q", "b");
  await clock.advance(600_000);
  expect((await readyOf(api, "a"))?.status).toBe("Unknown");
  expect(await taintsOf(api, "a")).toEqual(["unreachable:NoSchedule"]);
  expect((await api.list(pods)).items.every((pod) => pod.metadata?.deletionTimestamp === undefined)).toBe(true);
});

test("after faults stop nothing is written any more (invariant 39)", async () => {
  const { api, clock } = await world();
  await register(api, "n");
  await runPod(api, "p", "n");
  await clock.advance(120_000);
  const before = api.writes.length;
  await clock.advance(600_000);
  expect(api.writes.length).toBe(before);
});
