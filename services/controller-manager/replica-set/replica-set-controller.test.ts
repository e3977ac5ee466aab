import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { controllerOf } from "../../../lib/client/api-object.ts";
import type { MemoryApi, MemoryRequest } from "../../../lib/client/testkit/memory-api.ts";
import { formatTime } from "../../../lib/core/clock.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { forbidden, serviceUnavailable } from "../../../lib/core/status-error.ts";
import type { ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { coreEvents, pods, replicaSets } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerManager } from "../controller-manager.ts";
import { managerWorld } from "../testkit/manager-world.ts";

const running: ControllerManager[] = [];
afterEach(async () => {
  for (const manager of running.splice(0)) await manager.stop();
});

async function world(seed = 1) {
  const made = managerWorld(["replicaset"], seed);
  running.push(made.manager);
  await made.manager.start();
  return made;
}

const KEY = { namespace: "x", name: "web" };
const setOf = (replicas: number, minReadySeconds = 0): ReplicaSet => ({
  metadata: { ...KEY },
  spec: {
    replicas,
    minReadySeconds,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } },
  },
});

async function listPods(api: MemoryApi): Promise<readonly Pod[]> {
  return (await api.list(pods, { namespace: "x" })).items;
}

async function makeReady(api: MemoryApi, pod: Pod, nowMs: number) {
  const conditions = [{ type: "Ready", status: "True", lastTransitionTime: formatTime(nowMs) }];
  const body = { status: { phase: "Running", conditions } };
  await api.patch(
    pods,
    { namespace: "x", name: pod.metadata?.name ?? "" },
    { type: "merge", body },
    { subresource: "status" },
  );
}

const scaleTo = (api: MemoryApi, replicas: number) =>
  api.patch(replicaSets, KEY, { type: "merge", body: { spec: { replicas } } });

test("pods come and go with spec.replicas, and the status says so", async () => {
  const { api, clock } = await world();
  const set = await api.create(replicaSets, setOf(3));
  await clock.advance(100);
  const made = await listPods(api);
  expect(made).toHaveLength(3);
  for (const pod of made) {
    expect(pod.metadata?.name).toMatch(/^web-[a-z0-9]{5}$/);
    expect(controllerOf(pod)).toMatchObject({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      name: "web",
      uid: set.metadata?.uid,
    });
  }
  for (const pod of made.slice(1)) await makeReady(api, pod, clock.nowMs());
  await clock.advance(100);
  expect((await api.get(replicaSets, KEY)).status).toEqual({
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 2,
    availableReplicas: 2,
    terminatingReplicas: 0,
    observedGeneration: 1,
  });
  await scaleTo(api, 2);
  await clock.advance(100);
  const left = await listPods(api);
  expect(left.map((pod) => pod.metadata?.name)).toEqual(made.slice(1).map((pod) => pod.metadata?.name));
  await scaleTo(api, 0);
  await clock.advance(100);
  expect(await listPods(api)).toEqual([]);
  const reasons = (await api.list(coreEvents)).items.map((event) => event.reason);
  expect(reasons.filter((reason) => reason === "SuccessfulCreate")).toHaveLength(3);
  expect(reasons.filter((reason) => reason === "SuccessfulDelete")).toHaveLength(3);
});

test("a pod that is deleted or has failed is replaced", async () => {
  const { api, clock } = await world();
  await api.create(replicaSets, setOf(2));
  await clock.advance(100);
  const [first, second] = await listPods(api);
  await api.delete(pods, { namespace: "x", name: first?.metadata?.name ?? "" });
  const failed = { type: "merge" as const, body: { status: { phase: "Failed" } } };
  await api.patch(pods, { namespace: "x", name: second?.metadata?.name ?? "" }, failed, { subresource: "status" });
  await clock.advance(100);
  expect((await listPods(api)).filter((pod) => pod.status?.phase !== "Failed")).toHaveLength(2);
});

test("availability waits for minReadySeconds and then comes by itself", async () => {
  const { api, clock } = await world();
  await api.create(replicaSets, setOf(1, 30));
  await clock.advance(100);
  for (const pod of await listPods(api)) await makeReady(api, pod, clock.nowMs());
  await clock.advance(29_000);
  expect((await api.get(replicaSets, KEY)).status).toMatchObject({ readyReplicas: 1 });
  expect((await api.get(replicaSets, KEY)).status?.availableReplicas).toBeUndefined();
  await clock.advance(2_000);
  expect((await api.get(replicaSets, KEY)).status?.availableReplicas).toBe(1);
});

const orphan = (name: string, extra: object = {}): Pod => ({
  metadata: { name, namespace: "x", labels: { app: "web" }, ...extra },
  spec: { containers: [{ name: "c", image: "i" }] },
});

test("invariant 31: orphans that fit are adopted, strangers' pods are not, and what no longer fits is released", async () => {
  const { api, clock } = await world();
  await api.create(pods, orphan("mine"));
  const stranger = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "other", uid: "other", controller: true }];
  await api.create(pods, orphan("theirs", { ownerReferences: stranger }));
  const set = await api.create(replicaSets, setOf(1));
  await clock.advance(100);
  const all = await listPods(api);
  expect(all.map((pod) => `${pod.metadata?.name} ${controllerOf(pod)?.uid}`)).toEqual([
    `mine ${set.metadata?.uid}`,
    "theirs other",
  ]);
  await api.patch(
    pods,
    { namespace: "x", name: "mine" },
    { type: "merge", body: { metadata: { labels: { app: "off" } } } },
  );
  await clock.advance(100);
  expect(controllerOf(await api.get(pods, { namespace: "x", name: "mine" }))).toBeUndefined();
  expect((await listPods(api)).filter((pod) => controllerOf(pod)?.uid === set.metadata?.uid)).toHaveLength(1);
});

test("invariant 31: no adoption when a live read shows another uid or a deletion", async () => {
  const { api, clock } = await world();
  await api.create(replicaSets, { ...setOf(1), metadata: { ...KEY, finalizers: ["hold"] } });
  await clock.advance(100);
  const [mine] = await listPods(api);
  let isStale = true;
  api.before = async (request) => {
    if (isStale && request.verb === "get" && request.resource === "replicasets") {
      isStale = false;
      await api.delete(replicaSets, KEY);
    }
  };
  await api.create(pods, orphan("late"));
  await clock.advance(100);
  expect(isStale).toBe(false);
  expect(controllerOf(await api.get(pods, { namespace: "x", name: "late" }))).toBeUndefined();
  expect(mine).toBeDefined();
});

test("a refusal costs few requests, is told, and heals", async () => {
  const { api, clock } = await world();
  let refusals = 0;
  let refuse = true;
  api.before = (request) => {
    if (refuse && request.verb === "create" && request.resource === "pods") {
      refusals++;
      throw forbidden({ group: "", resource: "pods" }, "", "exceeded quota");
    }
  };
  await api.create(replicaSets, setOf(100));
  await clock.advance(1);
  expect(refusals).toBeLessThanOrEqual(2);
  await clock.advance(1_000);
  expect((await api.get(replicaSets, KEY)).status?.conditions).toMatchObject([
    { type: "ReplicaFailure", status: "True", reason: "FailedCreate" },
  ]);
  refuse = false;
  await clock.advance(60_000);
  expect(await listPods(api)).toHaveLength(100);
  expect((await api.get(replicaSets, KEY)).status?.conditions).toBeUndefined();
});

test("invariants 32 and 34: under lost answers, a stale pod cache and restarts there are never too many pods, and the end is right", async () => {
  const step = fc.record({
    kind: fc.constantFrom("scale", "kill", "lose-answer", "fail", "stale", "restart", "wait", "wait"),
    amount: fc.integer({ min: 0, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 25 }), fc.integer(), async (steps, seed) => {
      const { api, clock, open, manager } = await world(seed);
      let current = manager;
      const random = new SeededRandom(seed);
      const faults = { loseAnswers: 0, failures: 0, podWatchesDown: 0 };
      let mostWanted = 3;
      let most = 0;
      const isPodWrite = (request: MemoryRequest) => request.resource === "pods" && request.verb !== "watch";
      api.after = async (request) => {
        const active = (await listPods(api)).filter((pod) => pod.metadata?.deletionTimestamp === undefined);
        most = Math.max(most, active.length - mostWanted);
        if (isPodWrite(request) && faults.loseAnswers > 0) {
          faults.loseAnswers--;
          throw serviceUnavailable("lost");
        }
      };
      api.before = (request) => {
        if (request.resource === "pods" && request.verb === "create" && faults.failures > 0) {
          faults.failures--;
          throw serviceUnavailable("down");
        }
        if (request.resource === "pods" && request.verb === "watch" && faults.podWatchesDown > 0) {
          faults.podWatchesDown--;
          throw serviceUnavailable("down");
        }
      };
      await api.create(replicaSets, setOf(3));
      for (const { kind, amount } of steps) {
        if (kind === "scale") {
          mostWanted = Math.max(mostWanted, amount);
          await scaleTo(api, amount);
        } else if (kind === "kill") {
          const all = await listPods(api);
          const name = all[Math.floor(random.float() * all.length)]?.metadata?.name;
          if (name !== undefined) await api.delete(pods, { namespace: "x", name }).catch(() => {});
        } else if (kind === "lose-answer") faults.loseAnswers = amount;
        else if (kind === "fail") faults.failures = amount;
        else if (kind === "stale") {
          faults.podWatchesDown = amount;
          api.dropWatches(serviceUnavailable("dropped"));
        } else if (kind === "restart") {
          await current.stop();
          current = open();
          running.push(current);
          await current.start();
        } else await clock.advance(amount * 300);
      }
      api.before = undefined;
      api.after = undefined;
      await scaleTo(api, 3);
      await clock.advance(60_000);
      expect(most).toBeLessThanOrEqual(0);
      expect(await listPods(api)).toHaveLength(3);
      const writes = api.writes.length;
      await clock.advance(600_000);
      expect(api.writes.length).toBe(writes);
      await current.stop();
      expect(clock.pendingTimers).toBe(0);
    }),
    { numRuns: 150 },
  );
});
