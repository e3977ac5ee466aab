import { afterEach, expect, test } from "vitest";
import type { MemoryApi } from "../../../lib/client/testkit/memory-api.ts";
import { formatTime } from "../../../lib/core/clock.ts";
import type { PodDisruptionBudgetSpec } from "../../../lib/gen/k8s/policy/v1.ts";
import { podDisruptionBudgets, pods, replicaSets } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerManager } from "../controller-manager.ts";
import { managerWorld } from "../testkit/manager-world.ts";

const running: ControllerManager[] = [];
afterEach(async () => {
  for (const manager of running.splice(0)) await manager.stop();
});

const KEY = { namespace: "x", name: "guard" };

/** A ReplicaSet that wants `wanted` pods, of which `ready` of `present` are ready, and a budget over them. */
async function world(spec: PodDisruptionBudgetSpec, present: number, ready: number, wanted = present) {
  const made = managerWorld(["disruption"]);
  const { api, clock, manager } = made;
  running.push(manager);
  const set = await api.create(replicaSets, { metadata: { name: "web", namespace: "x" }, spec: { replicas: wanted } });
  const ownerReferences = [
    { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: set.metadata?.uid ?? "", controller: true },
  ];
  for (let index = 0; index < present; index++) {
    const name = `p${index}`;
    await api.create(pods, { metadata: { name, namespace: "x", labels: { app: "web" }, ownerReferences }, spec: {} });
    await setReady(api, name, index < ready);
  }
  const selector = { matchLabels: { app: "web" } };
  await api.create(podDisruptionBudgets, { metadata: { ...KEY }, spec: { ...spec, selector } });
  await manager.start();
  await clock.advance(100);
  return made;
}

const setReady = (api: MemoryApi, name: string, ready: boolean) =>
  api.patch(
    pods,
    { namespace: "x", name },
    {
      type: "merge",
      body: { status: { phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }] } },
    },
    { subresource: "status" },
  );

const allowed = async (api: MemoryApi) => (await api.get(podDisruptionBudgets, KEY)).status?.disruptionsAllowed ?? 0;

test.each<[PodDisruptionBudgetSpec, number, number, number, number]>([
  [{ minAvailable: 2 }, 3, 3, 3, 1],
  [{ minAvailable: 3 }, 3, 3, 3, 0],
  [{ minAvailable: 2 }, 3, 1, 3, 0],
  [{ minAvailable: "50%" }, 3, 3, 5, 0],
  [{ minAvailable: "50%" }, 5, 5, 5, 2],
  [{ maxUnavailable: 1 }, 5, 5, 5, 1],
  [{ maxUnavailable: 1 }, 5, 4, 5, 0],
  [{ maxUnavailable: 1 }, 4, 4, 5, 0],
  [{ maxUnavailable: "40%" }, 5, 5, 5, 2],
  [{ maxUnavailable: 1 }, 0, 0, 0, 0],
])("%j with %i pods, %i ready, %i wanted allows as many as it says", async (spec, present, ready, wanted, count) => {
  const { api } = await world(spec, present, ready, wanted);
  expect(await allowed(api)).toBe(count);
});

test("the status follows pods and owners, and rests when nothing changes (invariant 39)", async () => {
  const { api, clock } = await world({ maxUnavailable: 1 }, 3, 3);
  expect((await api.get(podDisruptionBudgets, KEY)).status).toMatchObject({
    disruptionsAllowed: 1,
    currentHealthy: 3,
    desiredHealthy: 2,
    expectedPods: 3,
    observedGeneration: 1,
    conditions: [{ type: "DisruptionAllowed", status: "True", reason: "SufficientPods" }],
  });
  await setReady(api, "p0", false);
  await clock.advance(100);
  expect(await allowed(api)).toBe(0);
  await setReady(api, "p0", true);
  await api.patch(replicaSets, { namespace: "x", name: "web" }, { type: "merge", body: { spec: { replicas: 4 } } });
  await clock.advance(100);
  expect(await allowed(api)).toBe(0);
  const writes = api.writes.length;
  await clock.advance(600_000);
  expect(api.writes.length).toBe(writes);
});

test("invariant 38: a granted eviction counts until its pod is being deleted, or has not been for two minutes", async () => {
  const { api, clock } = await world({ maxUnavailable: 1 }, 3, 3);
  const body = { status: { disruptionsAllowed: null, disruptedPods: { p0: formatTime(clock.nowMs()) } } };
  await api.patch(podDisruptionBudgets, KEY, { type: "merge", body }, { subresource: "status" });
  await clock.advance(60_000);
  expect(await allowed(api)).toBe(0);
  await clock.advance(61_000);
  expect(await allowed(api)).toBe(1);
  expect((await api.get(podDisruptionBudgets, KEY)).status?.disruptedPods).toBeUndefined();
});

test("invariant 38: a status made from an older version than a granted eviction is not written", async () => {
  const { api, clock } = await world({ maxUnavailable: 1 }, 3, 2);
  let raced = false;
  api.before = async (request) => {
    if (request.verb !== "update" || raced) return;
    raced = true;
    const body = { status: { disruptedPods: { p1: formatTime(clock.nowMs()) } } };
    await api.patch(podDisruptionBudgets, KEY, { type: "merge", body }, { subresource: "status" });
  };
  await setReady(api, "p2", true);
  await clock.advance(10_000);
  expect(raced).toBe(true);
  expect((await api.get(podDisruptionBudgets, KEY)).status).toMatchObject({ currentHealthy: 2, expectedPods: 3 });
  expect(await allowed(api)).toBe(0);
});

test("a pod whose owner cannot be found makes the need unknown: nothing is allowed", async () => {
  const { api, clock } = await world({ maxUnavailable: 1 }, 3, 3);
  const ownerReferences = [{ apiVersion: "example.com/v1", kind: "Widget", name: "w", uid: "w", controller: true }];
  await api.create(pods, {
    metadata: { name: "odd", namespace: "x", labels: { app: "web" }, ownerReferences },
    spec: {},
  });
  await clock.advance(100);
  const { status } = await api.get(podDisruptionBudgets, KEY);
  expect(status?.disruptionsAllowed).toBeUndefined();
  expect(status?.conditions).toMatchObject([{ status: "False", reason: "SyncFailed" }]);
});
