import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import type { MemoryApi } from "../../../lib/client/testkit/memory-api.ts";
import { formatTime } from "../../../lib/core/clock.ts";
import { serviceUnavailable } from "../../../lib/core/status-error.ts";
import type { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import type { Deployment, DeploymentSpec, ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";
import { coreEvents, deployments, pods, replicaSets } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerManager } from "../controller-manager.ts";
import { managerWorld } from "../testkit/manager-world.ts";

const running: ControllerManager[] = [];
afterEach(async () => {
  for (const manager of running.splice(0)) await manager.stop();
});

async function world(seed = 1) {
  const made = managerWorld(["replicaset", "deployment"], seed);
  running.push(made.manager);
  await made.manager.start();
  return made;
}

const KEY = { namespace: "x", name: "web" };
const deploymentOf = (image: string, spec: Partial<DeploymentSpec> = {}): Deployment => ({
  metadata: { ...KEY },
  spec: {
    replicas: 3,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image }] } },
    ...spec,
  },
});

const patch = (api: MemoryApi, spec: object) => api.patch(deployments, KEY, { type: "merge", body: { spec } });
const setImage = (api: MemoryApi, image: string) =>
  patch(api, { template: { spec: { containers: [{ name: "c", image }] } } });

/** A kubelet that makes pods of good images ready after `delayMs` and ends deleted ones. */
function kubelet(api: MemoryApi, clock: VirtualClock, delayMs = 1_000) {
  let stopped = false;
  const seen = new Map<string, number>();
  const tick = async () => {
    for (const pod of (await api.list(pods)).items) {
      const key = { namespace: "x", name: pod.metadata?.name ?? "" };
      const uid = pod.metadata?.uid ?? "";
      if (!seen.has(uid)) seen.set(uid, clock.nowMs());
      const isGood = pod.spec?.containers?.[0]?.image !== "bad";
      const isReady = pod.status?.phase === "Running";
      if (pod.metadata?.deletionTimestamp !== undefined) await api.delete(pods, key, { gracePeriodSeconds: 0 });
      else if (isGood && !isReady && clock.nowMs() - (seen.get(uid) ?? 0) >= delayMs) {
        const conditions = [{ type: "Ready", status: "True", lastTransitionTime: formatTime(clock.nowMs()) }];
        const body = { status: { phase: "Running", conditions } };
        await api.patch(pods, key, { type: "merge", body }, { subresource: "status" }).catch(() => {});
      }
    }
    if (!stopped) clock.after(250, () => void tick());
  };
  void tick();
  return () => {
    stopped = true;
  };
}

const setsOf = async (api: MemoryApi): Promise<readonly ReplicaSet[]> => (await api.list(replicaSets)).items;
const sizes = async (api: MemoryApi) =>
  Object.fromEntries(
    (await setsOf(api)).map((set) => [set.spec?.template?.spec?.containers?.[0]?.image, set.spec?.replicas]),
  );
const conditionOf = async (api: MemoryApi, type: string) =>
  (await api.get(deployments, KEY)).status?.conditions?.find((condition) => condition.type === type);

test("a deployment makes one ReplicaSet and becomes available", async () => {
  const { api, clock } = await world();
  const stop = kubelet(api, clock);
  await api.create(deployments, deploymentOf("v1"));
  await clock.advance(5_000);
  const [set, ...others] = await setsOf(api);
  expect(others).toEqual([]);
  expect(set?.metadata?.name).toBe(`web-${set?.metadata?.labels?.["pod-template-hash"]}`);
  expect(set?.metadata?.annotations).toEqual({
    "deployment.kubernetes.io/revision": "1",
    "deployment.kubernetes.io/desired-replicas": "3",
    "deployment.kubernetes.io/max-replicas": "4",
  });
  const { status, metadata } = await api.get(deployments, KEY);
  expect(metadata?.annotations).toEqual({ "deployment.kubernetes.io/revision": "1" });
  expect(status).toMatchObject({ replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 });
  expect(status?.unavailableReplicas).toBeUndefined();
  expect(await conditionOf(api, "Available")).toMatchObject({ status: "True", reason: "MinimumReplicasAvailable" });
  expect(await conditionOf(api, "Progressing")).toMatchObject({ status: "True", reason: "NewReplicaSetAvailable" });
  const scaled = (await api.list(coreEvents)).items.find((event) => event.reason === "ScalingReplicaSet");
  expect(scaled?.message).toBe(`Scaled up replica set ${set?.metadata?.name} from 0 to 3`);
  const writes = api.writes.length;
  await clock.advance(900_000);
  expect(api.writes.length).toBe(writes);
  stop();
});

test("a rolling update keeps enough available and not too many, and the revision counts on; going back reuses the set", async () => {
  const { api, clock } = await world();
  const stop = kubelet(api, clock);
  await api.create(deployments, deploymentOf("v1", { replicas: 8 }));
  await clock.advance(10_000);
  const bounds = { least: 8, most: 8 };
  api.after = async () => {
    const all = (await api.list(pods)).items.filter((pod) => pod.metadata?.deletionTimestamp === undefined);
    bounds.most = Math.max(bounds.most, all.length);
    bounds.least = Math.min(bounds.least, all.filter((pod) => pod.status?.phase === "Running").length);
  };
  await setImage(api, "v2");
  await clock.advance(60_000);
  expect(await sizes(api)).toEqual({ v1: 0, v2: 8 });
  expect(bounds).toEqual({ least: 6, most: 10 });
  expect((await api.get(deployments, KEY)).metadata?.annotations?.["deployment.kubernetes.io/revision"]).toBe("2");
  await setImage(api, "v1");
  await clock.advance(60_000);
  expect(await sizes(api)).toEqual({ v1: 8, v2: 0 });
  const first = (await setsOf(api)).find((set) => set.spec?.replicas === 8);
  expect(first?.metadata?.annotations).toMatchObject({
    "deployment.kubernetes.io/revision": "3",
    "deployment.kubernetes.io/revision-history": "1",
  });
  stop();
});

test("a bad image stops the rollout with the old ones available, and the deadline is told; a good one goes on", async () => {
  const { api, clock } = await world();
  const stop = kubelet(api, clock);
  await api.create(deployments, deploymentOf("v1", { replicas: 4, progressDeadlineSeconds: 60 }));
  await clock.advance(10_000);
  await setImage(api, "bad");
  await clock.advance(50_000);
  expect(await sizes(api)).toEqual({ v1: 3, bad: 2 });
  expect((await conditionOf(api, "Progressing"))?.reason).toBe("ReplicaSetUpdated");
  await clock.advance(30_000);
  expect(await conditionOf(api, "Progressing")).toMatchObject({ status: "False", reason: "ProgressDeadlineExceeded" });
  expect(await conditionOf(api, "Available")).toMatchObject({ status: "True" });
  await setImage(api, "v3");
  await clock.advance(60_000);
  expect(await sizes(api)).toEqual({ v1: 0, bad: 0, v3: 4 });
  expect(await conditionOf(api, "Progressing")).toMatchObject({ status: "True", reason: "NewReplicaSetAvailable" });
  stop();
});

test("Recreate ends all old pods before the first new one", async () => {
  const { api, clock } = await world();
  const stop = kubelet(api, clock);
  await api.create(deployments, deploymentOf("v1", { strategy: { type: "Recreate" } }));
  await clock.advance(10_000);
  let mixed = 0;
  api.after = async () => {
    const images = new Set((await api.list(pods)).items.map((pod) => pod.spec?.containers?.[0]?.image));
    if (images.size > 1) mixed++;
  };
  await setImage(api, "v2");
  await clock.advance(20_000);
  expect(await sizes(api)).toEqual({ v1: 0, v2: 3 });
  expect(mixed).toBe(0);
  stop();
});

test("scaling in the midst of a rollout keeps the shares; a paused one makes no new set", async () => {
  const { api, clock } = await world();
  const stop = kubelet(api, clock);
  await api.create(deployments, deploymentOf("v1", { replicas: 10 }));
  await clock.advance(10_000);
  await setImage(api, "bad");
  await clock.advance(10_000);
  expect(await sizes(api)).toEqual({ v1: 8, bad: 5 });
  await patch(api, { replicas: 20 });
  await clock.advance(1);
  const scaled = await sizes(api);
  expect((scaled["v1"] ?? 0) + (scaled["bad"] ?? 0)).toBe(25);
  expect(scaled["bad"]).toBeGreaterThan(7);
  await patch(api, { paused: true });
  await setImage(api, "v3");
  await clock.advance(10_000);
  expect(Object.keys(await sizes(api)).sort()).toEqual(["bad", "v1"]);
  expect((await conditionOf(api, "Progressing"))?.reason).toBe("DeploymentPaused");
  await patch(api, { paused: false });
  await clock.advance(60_000);
  expect(await sizes(api)).toEqual({ v1: 0, bad: 0, v3: 20 });
  stop();
});

test("old sets beyond the history limit are deleted, the oldest first", async () => {
  const { api, clock } = await world();
  const stop = kubelet(api, clock, 0);
  await api.create(deployments, deploymentOf("v1", { revisionHistoryLimit: 2 }));
  for (const image of ["v2", "v3", "v4", "v5"]) {
    await clock.advance(20_000);
    await setImage(api, image);
  }
  await clock.advance(20_000);
  expect(Object.keys(await sizes(api)).sort()).toEqual(["v3", "v4", "v5"]);
  stop();
});

test("F1, F2: under faults and restarts every rollout ends at the wanted state (invariant 39)", async () => {
  const step = fc.record({
    kind: fc.constantFrom("image", "scale", "fail", "lose-answer", "drop", "restart", "wait"),
    amount: fc.integer({ min: 0, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), fc.integer(), async (steps, seed) => {
      const { api, clock, open, manager } = await world(seed);
      const stop = kubelet(api, clock, 500);
      let current = manager;
      const faults = { fail: 0, lose: 0 };
      const isWrite = (verb: string) => verb === "create" || verb === "update" || verb === "delete";
      api.before = (request) => {
        if (isWrite(request.verb) && faults.fail-- > 0) throw serviceUnavailable("down");
      };
      api.after = (request) => {
        if (isWrite(request.verb) && faults.lose-- > 0) throw serviceUnavailable("lost");
      };
      await api.create(deployments, deploymentOf("v1"));
      for (const { kind, amount } of steps) {
        if (kind === "image") await setImage(api, `v${amount}`);
        else if (kind === "scale") await patch(api, { replicas: amount });
        else if (kind === "fail") faults.fail = amount;
        else if (kind === "lose-answer") faults.lose = amount;
        else if (kind === "drop") api.dropWatches(serviceUnavailable("dropped"));
        else if (kind === "restart") {
          await current.stop();
          current = open();
          running.push(current);
          await current.start();
        } else await clock.advance(amount * 700);
      }
      api.before = undefined;
      api.after = undefined;
      await patch(api, { replicas: 4 });
      await setImage(api, "last");
      await clock.advance(60_000);
      const all = (await api.list(pods)).items;
      expect(all.map((pod) => pod.spec?.containers?.[0]?.image)).toEqual(["last", "last", "last", "last"]);
      expect((await conditionOf(api, "Progressing"))?.reason).toBe("NewReplicaSetAvailable");
      const writes = api.writes.length;
      await clock.advance(600_000);
      expect(api.writes.length).toBe(writes);
      stop();
      await current.stop();
    }),
    { numRuns: 20 },
  );
});
