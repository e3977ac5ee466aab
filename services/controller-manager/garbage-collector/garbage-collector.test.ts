import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import type { ApiOwnerReference } from "../../../lib/client/api-object.ts";
import type { MemoryApi } from "../../../lib/client/testkit/memory-api.ts";
import { serviceUnavailable } from "../../../lib/core/status-error.ts";
import { configMaps, namespaces, pods, replicaSets } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerManager } from "../controller-manager.ts";
import { managerWorld } from "../testkit/manager-world.ts";

const running: ControllerManager[] = [];
afterEach(async () => {
  for (const manager of running.splice(0)) await manager.stop();
});

async function world(seed = 1) {
  const made = managerWorld(["garbage-collector"], seed);
  running.push(made.manager);
  await made.manager.start();
  return made;
}

const key = (name: string) => ({ namespace: "x", name });

async function owner(api: MemoryApi, name: string): Promise<ApiOwnerReference> {
  const made = await api.create(replicaSets, { metadata: key(name), spec: {} });
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    name,
    uid: made.metadata?.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

async function child(api: MemoryApi, name: string, ownerReferences: readonly ApiOwnerReference[]) {
  return api.create(configMaps, { metadata: { ...key(name), ownerReferences: [...ownerReferences] } });
}

const names = async (api: MemoryApi) => (await api.list(configMaps)).items.map((item) => item.metadata?.name);

test("children go when their owner has gone, also those that came too late", async () => {
  const { api, clock } = await world();
  const a = await owner(api, "a");
  await child(api, "one", [a]);
  await child(api, "free", []);
  await clock.advance(100);
  await api.delete(replicaSets, key("a"));
  await clock.advance(100);
  expect(await names(api)).toEqual(["free"]);
  await child(api, "late", [a]);
  await clock.advance(100);
  expect(await names(api)).toEqual(["free"]);
});

test("a child with another living owner stays and loses the reference to the dead one", async () => {
  const { api, clock } = await world();
  const a = await owner(api, "a");
  const b = { ...(await owner(api, "b")), controller: false };
  await child(api, "shared", [a, b]);
  await clock.advance(100);
  await api.delete(replicaSets, key("a"));
  await clock.advance(100);
  const left = await api.get(configMaps, key("shared"));
  expect(left.metadata?.ownerReferences?.map(({ name }) => name)).toEqual(["b"]);
});

test("an owner of the same name with another uid is no owner", async () => {
  const { api, clock } = await world();
  const a = await owner(api, "a");
  await child(api, "old", [{ ...a, uid: "of an earlier life" }]);
  await child(api, "new", [a]);
  await clock.advance(100);
  expect(await names(api)).toEqual(["new"]);
});

test("invariant 37: nothing is deleted while the owner cannot be read or its kind is not known", async () => {
  const { api, clock } = await world();
  const a = await owner(api, "a");
  await child(api, "foreign", [{ apiVersion: "example.com/v1", kind: "Widget", name: "w", uid: "w" }]);
  api.before = (request) => {
    if (request.verb === "get" && request.resource === "replicasets") throw serviceUnavailable("cannot say");
  };
  await child(api, "unsure", [{ ...a, uid: "never seen" }]);
  await clock.advance(60_000);
  expect(await names(api)).toEqual(["foreign", "unsure"]);
  api.before = undefined;
  await clock.advance(600_000);
  expect(await names(api)).toEqual(["foreign"]);
});

test("invariant 37: a stale cache deletes nothing whose owner lives", async () => {
  const { api, clock } = await world();
  let replicaSetsDown = true;
  api.before = (request) => {
    if (replicaSetsDown && request.verb === "watch" && request.resource === "replicasets")
      throw serviceUnavailable("down");
  };
  api.dropWatches();
  const a = await owner(api, "unseen");
  await child(api, "kept", [a]);
  await clock.advance(60_000);
  expect(await names(api)).toEqual(["kept"]);
  replicaSetsDown = false;
});

test("foreground: the owner goes after its children, and they after theirs", async () => {
  const { api, clock } = await world();
  const a = await owner(api, "a");
  const pod = await api.create(pods, {
    metadata: { ...key("p"), ownerReferences: [a], finalizers: ["hold"] },
    spec: {},
  });
  await child(api, "c", [
    { apiVersion: "v1", kind: "Pod", name: "p", uid: pod.metadata?.uid ?? "", blockOwnerDeletion: true },
  ]);
  await clock.advance(100);
  await api.delete(replicaSets, key("a"), { propagationPolicy: "Foreground" });
  await clock.advance(5_000);
  expect(await names(api)).toEqual([]);
  expect((await api.get(replicaSets, key("a"))).metadata?.finalizers).toEqual(["foregroundDeletion"]);
  await api.patch(pods, key("p"), { type: "merge", body: { metadata: { finalizers: null } } });
  await clock.advance(5_000);
  await expect(api.get(replicaSets, key("a"))).rejects.toMatchObject({ code: 404 });
});

test("orphan: children stay without their owner", async () => {
  const { api, clock } = await world();
  const a = await owner(api, "a");
  await child(api, "c", [a]);
  await clock.advance(100);
  await api.delete(replicaSets, key("a"), { propagationPolicy: "Orphan" });
  await clock.advance(5_000);
  await expect(api.get(replicaSets, key("a"))).rejects.toMatchObject({ code: 404 });
  expect((await api.get(configMaps, key("c"))).metadata?.ownerReferences).toBeUndefined();
});

test("a cluster-scoped owner counts for namespaced children", async () => {
  const { api, clock } = await world();
  const namespace = await api.create(namespaces, { metadata: { name: "n" }, spec: {}, status: {} });
  await child(api, "c", [{ apiVersion: "v1", kind: "Namespace", name: "n", uid: namespace.metadata?.uid ?? "" }]);
  await clock.advance(1_000);
  expect(await names(api)).toEqual(["c"]);
  await api.delete(namespaces, { name: "n" });
  await clock.advance(1_000);
  expect(await names(api)).toEqual([]);
});

test("invariant 37: under faults nothing with a living owner is deleted, and in the end nothing without one is left", async () => {
  const step = fc.record({
    kind: fc.constantFrom("owner", "child", "delete", "drop", "fail", "wait"),
    index: fc.integer({ min: 0, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer(), async (steps, seed) => {
      const { api, clock, manager } = await world(seed);
      let failures = 0;
      let serial = 0;
      const known = new Map<string, ApiOwnerReference>();
      const wrong: string[] = [];
      let collecting = true;
      api.before = async (request) => {
        if (!collecting) return;
        if (failures-- > 0 && request.verb !== "list") throw serviceUnavailable("fault");
        if (request.verb !== "delete" || request.resource !== "configmaps") return;
        collecting = false;
        const object = await api.get(configMaps, key(request.key.slice(2))).catch(() => undefined);
        const reference = object?.metadata?.ownerReferences?.[0];
        const live = await api.get(replicaSets, key(reference?.name ?? "")).catch(() => undefined);
        collecting = true;
        if (reference !== undefined && live?.metadata?.uid === reference.uid) wrong.push(request.key);
      };
      const quietly = async (work: () => Promise<unknown>) => {
        collecting = false;
        await work().catch(() => {});
        collecting = true;
      };
      for (const { kind, index } of steps) {
        const name = `o${index}`;
        if (kind === "owner") await quietly(async () => known.set(name, await owner(api, name)));
        else if (kind === "child" && known.has(name))
          await quietly(() => child(api, `c${serial++}`, [known.get(name)!]));
        else if (kind === "delete") await quietly(() => api.delete(replicaSets, key(name)));
        else if (kind === "drop") api.dropWatches(serviceUnavailable("dropped"));
        else if (kind === "fail") failures = index;
        else if (kind === "wait") await clock.advance(index * 200);
      }
      await clock.advance(60_000);
      collecting = false;
      expect(wrong).toEqual([]);
      const living = new Set((await api.list(replicaSets)).items.map((set) => set.metadata?.uid));
      const left = (await api.list(configMaps)).items;
      expect(left.filter((item) => !living.has(item.metadata?.ownerReferences?.[0]?.uid))).toEqual([]);
      await manager.stop();
      expect(api.openWatches).toBe(0);
    }),
    { numRuns: 60 },
  );
});
