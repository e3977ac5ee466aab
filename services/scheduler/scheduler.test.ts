import { afterEach, expect, test } from "vitest";
import { MemoryApi, type MemoryRequest } from "../../lib/client/testkit/memory-api.ts";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { serviceUnavailable } from "../../lib/core/status-error.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import type { Node, Pod, PodSpec, Taint } from "../../lib/gen/k8s/core/v1.ts";
import { coreEvents, nodes, pods } from "../../lib/gen/k8s/resources.ts";
import { Scheduler } from "./scheduler.ts";

const running: Scheduler[] = [];
afterEach(async () => {
  for (const scheduler of running.splice(0)) await scheduler.stop();
});

function world(options: { leaderElect?: boolean } = {}) {
  const clock = new VirtualClock();
  const random = new SeededRandom(11);
  const api = new MemoryApi({ clock, random });
  const make = (identity: string) => {
    const scheduler = new Scheduler(
      { api, clock, random, log: silentLog },
      { identity, leaderElect: options.leaderElect ?? false },
    );
    running.push(scheduler);
    return scheduler;
  };
  return { clock, api, make };
}

const node = (name: string, cpu = "2", extra: { taints?: Taint[]; labels?: Record<string, string> } = {}): Node => ({
  metadata: { name, labels: { "kubernetes.io/hostname": name, ...extra.labels } },
  spec: extra.taints === undefined ? {} : { taints: extra.taints },
  status: { allocatable: { cpu, memory: "4Gi", pods: "110" } },
});

const pod = (name: string, cpu?: string, spec: PodSpec = {}): Pod => ({
  metadata: { name, namespace: "default" },
  spec: {
    containers: [{ name: "c", image: "i", ...(cpu === undefined ? {} : { resources: { requests: { cpu } } }) }],
    ...spec,
  },
});

const key = (name: string) => ({ namespace: "default", name });
const nodeOf = async (api: MemoryApi, name: string) => (await api.get(pods, key(name))).spec?.nodeName;
const messages = async (api: MemoryApi) =>
  (await api.list(coreEvents)).items.map((event) => `${event.type} ${event.reason}: ${event.message}`);

test("a pod is bound to a node that has room, and Scheduled is told", async () => {
  const { clock, api, make } = world();
  await api.create(nodes, node("full", "1"));
  await api.create(nodes, node("roomy", "4"));
  await make("a").start();
  await api.create(pods, pod("web", "1500m"));
  await clock.advance(100);
  expect(await nodeOf(api, "web")).toBe("roomy");
  expect(await messages(api)).toEqual(["Normal Scheduled: Successfully assigned default/web to roomy"]);
});

test("a pod that fits nowhere says why, by cause, as event and condition", async () => {
  const { clock, api, make } = world();
  await api.create(nodes, node("small", "500m"));
  await api.create(nodes, node("t1", "8", { taints: [{ key: "k", effect: "NoSchedule" }] }));
  await api.create(nodes, node("t2", "8", { taints: [{ key: "k", effect: "NoExecute" }] }));
  const scheduler = make("a");
  await scheduler.start();
  await api.create(pods, pod("big", "1"));
  await clock.advance(100);
  const message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s).";
  const told = `${message} preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.`;
  expect(await messages(api)).toEqual([`Warning FailedScheduling: ${told}`]);
  const condition = (await api.get(pods, key("big"))).status?.conditions?.[0];
  expect(condition).toMatchObject({
    type: "PodScheduled",
    status: "False",
    reason: "Unschedulable",
    message: told,
  });
  const decision = scheduler.explain("default/big");
  expect(decision.state).toBe("unschedulable");
  expect(decision.message).toBe(message);
  expect(decision.nodes.find(({ node: name }) => name === "small")?.failures).toEqual([
    { filter: "NodeResourcesFit", reason: "Insufficient cpu" },
  ]);
});

test("with no nodes the message says so, and the first node wakes the pod", async () => {
  const { clock, api, make } = world();
  await make("a").start();
  await api.create(pods, pod("early"));
  await clock.advance(100);
  expect(await messages(api)).toEqual(["Warning FailedScheduling: no nodes available to schedule pods"]);
  await api.create(nodes, node("n"));
  await clock.advance(2_000);
  expect(await nodeOf(api, "early")).toBe("n");
});

test.each<[string, (api: MemoryApi) => Promise<unknown>]>([
  ["a taint is taken away", (api) => api.patch(nodes, { name: "tainted" }, { type: "merge", body: { spec: null } })],
  [
    "a pod ends",
    (api) =>
      api.patch(
        pods,
        key("hog"),
        { type: "merge", body: { status: { phase: "Succeeded" } } },
        { subresource: "status" },
      ),
  ],
  ["a pod is deleted", (api) => api.delete(pods, key("hog"), { gracePeriodSeconds: 0 })],
  ["a node is added", (api) => api.create(nodes, node("new"))],
  [
    "a node grows",
    (api) =>
      api.patch(
        nodes,
        { name: "used" },
        { type: "merge", body: { status: { allocatable: { cpu: "8" } } } },
        { subresource: "status" },
      ),
  ],
])("invariant 42: a pending pod is bound soon after %s", async (_what, change) => {
  const { clock, api, make } = world();
  await api.create(nodes, node("used"));
  await api.create(nodes, node("tainted", "8", { taints: [{ key: "k", effect: "NoSchedule" }] }));
  await make("a").start();
  await api.create(pods, pod("hog", "1500m"));
  await clock.advance(100);
  await api.create(pods, pod("waits", "1"));
  await clock.advance(15_000);
  expect(await nodeOf(api, "waits")).toBeUndefined();
  await change(api);
  await clock.advance(100);
  expect(await nodeOf(api, "waits")).toBeDefined();
});

test("invariant 40: an assumption is rolled back when the binding fails, and the pod is tried again", async () => {
  const { clock, api, make } = world();
  await api.create(nodes, node("n", "2"));
  let failures = 2;
  api.before = (request: MemoryRequest) => {
    if (request.subresource === "binding" && failures-- > 0) throw serviceUnavailable("down");
  };
  await make("a").start();
  await api.create(pods, pod("one", "2"));
  await clock.advance(10_000);
  expect(await nodeOf(api, "one")).toBe("n");
});

test("invariant 40: a binding whose answer was lost counts once", async () => {
  const { clock, api, make } = world();
  await api.create(nodes, node("n", "2"));
  let lost = 1;
  api.after = (request: MemoryRequest) => {
    if (request.subresource === "binding" && lost-- > 0) throw serviceUnavailable("connection lost");
  };
  await make("a").start();
  await api.create(pods, pod("one", "1"));
  await api.create(pods, pod("two", "1"));
  await api.create(pods, pod("three", "1"));
  await clock.advance(10_000);
  const bound = (await api.list(pods)).items.filter((item) => item.spec?.nodeName === "n");
  expect(bound).toHaveLength(2);
  expect(await messages(api)).toContainEqual(expect.stringContaining("Successfully assigned default/one to n"));
});

test("higher priority goes first; other schedulers' pods and gated pods are left alone", async () => {
  const { clock, api, make } = world();
  await api.create(pods, pod("low", "2"));
  await api.create(pods, pod("high", "2", { priority: 1_000 }));
  await api.create(pods, pod("other", undefined, { schedulerName: "somebody" }));
  await api.create(pods, pod("gated", undefined, { schedulingGates: [{ name: "g" }] }));
  await api.create(nodes, node("n", "2"));
  const scheduler = make("a");
  await scheduler.start();
  await clock.advance(1_000);
  expect(await nodeOf(api, "high")).toBe("n");
  expect(await nodeOf(api, "low")).toBeUndefined();
  expect(await nodeOf(api, "other")).toBeUndefined();
  expect(scheduler.explain("default/other").state).toBe("not-ours");
  expect(scheduler.explain("default/gated").state).toBe("gated");
  await api.patch(pods, key("gated"), { type: "merge", body: { spec: { schedulingGates: null } } });
  await clock.advance(1_000);
  expect(await nodeOf(api, "gated")).toBe("n");
});

test("pods of one owner are spread over nodes", async () => {
  const { clock, api, make } = world();
  for (const name of ["a", "b", "c"]) await api.create(nodes, node(name, "8"));
  await make("a").start();
  const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "u", controller: true }];
  for (let i = 0; i < 6; i++) {
    const draft = pod(`p${i}`, "100m");
    await api.create(pods, { ...draft, metadata: { ...draft.metadata, ownerReferences } });
  }
  await clock.advance(1_000);
  const counts = new Map<string, number>();
  for (const item of (await api.list(pods)).items) {
    const on = item.spec?.nodeName ?? "none";
    counts.set(on, (counts.get(on) ?? 0) + 1);
  }
  expect([...counts.entries()].sort()).toEqual([
    ["a", 2],
    ["b", 2],
    ["c", 2],
  ]);
});

test("a pod that waits is not written about again and again when nothing happens (invariant 39)", async () => {
  const { clock, api, make } = world();
  await api.create(nodes, node("n", "1"));
  await make("a").start();
  await api.create(pods, pod("big", "8"));
  await clock.advance(10_000);
  const before = api.writes.length;
  await clock.advance(600_000);
  expect(api.writes.length).toBe(before);
});

test("invariant 33: the second scheduler takes over, and what the first still sends fails", async () => {
  const { clock, api, make } = world({ leaderElect: true });
  await api.create(nodes, node("n", "8"));
  const first = make("first");
  const second = make("second");
  await first.start();
  await clock.advance(3_000);
  await second.start();
  await clock.advance(5_000);
  expect([first.leading, second.leading]).toEqual([true, false]);
  await first.stop();
  await clock.advance(5_000);
  expect(second.leading).toBe(true);
  await api.create(pods, pod("web"));
  await clock.advance(1_000);
  expect(await nodeOf(api, "web")).toBe("n");
  const holders = (writes: typeof api.writes) => writes.map((write) => write.fence?.holder);
  expect(holders(api.writes.filter((write) => write.subresource === "binding"))).toEqual(["second"]);
  expect(holders(api.writes.filter((write) => write.resource === "events"))).toEqual(["second"]);
});

test("stopping leaves no timer and no watch", async () => {
  const { clock, api, make } = world({ leaderElect: true });
  await api.create(nodes, node("n", "1"));
  const scheduler = make("a");
  await scheduler.start();
  await api.create(pods, pod("big", "8"));
  await clock.advance(20_000);
  await scheduler.stop();
  expect(clock.pendingTimers).toBe(0);
  expect(api.openWatches).toBe(0);
});
