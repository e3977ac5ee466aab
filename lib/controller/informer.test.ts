import fc from "fast-check";
import { expect, test } from "vitest";
import type { ApiObject } from "../client/api-object.ts";
import type { Changes } from "../client/changes.ts";
import { MemoryApi } from "../client/testkit/memory-api.ts";
import { silentLog } from "../core/log.ts";
import { SeededRandom } from "../core/seeded-random.ts";
import { expired, serviceUnavailable } from "../core/status-error.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { ResourceRef } from "../resource/kind.ts";
import { Informer } from "./informer.ts";

interface ConfigMap extends ApiObject {
  readonly data?: Record<string, string>;
}
const configMaps: ResourceRef<ConfigMap> = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  resource: "configmaps",
  namespaced: true,
};

function open(historyLimit = 1_000) {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const api = new MemoryApi({ clock, random, historyLimit });
  const informer = new Informer({ api, clock, random, log: silentLog }, configMaps, {
    indexes: { value: (object) => Object.values(object.data ?? {}) },
  });
  const seen: string[] = [];
  informer.addHandler({
    added: (object) => seen.push(`+${object.metadata?.name}`),
    updated: (object) => seen.push(`~${object.metadata?.name}`),
    deleted: (object) => seen.push(`-${object.metadata?.name}`),
  });
  return { clock, api, informer, seen };
}

const make = (name: string, value = "1"): ConfigMap => ({ metadata: { name, namespace: "x" }, data: { value } });
const key = (name: string) => ({ namespace: "x", name });

test("lists once, then follows; indexes and handlers see every change", async () => {
  const { clock, api, informer, seen } = open();
  await api.create(configMaps, make("a"));
  await informer.start();
  expect(informer.synced).toBe(false);
  await clock.advance(0);
  await informer.whenSynced();
  await api.create(configMaps, make("b"));
  await api.patch(configMaps, key("a"), { type: "merge", body: { data: { value: "2" } } });
  await api.delete(configMaps, key("b"));
  await clock.advance(0);
  expect(seen).toEqual(["+a", "+b", "~a", "-b"]);
  expect(informer.store.byIndex("value", "2").map((object) => object.metadata?.name)).toEqual(["a"]);
  expect(informer.store.byIndex("value", "1")).toEqual([]);
  expect(informer.seenRevision).toBe(BigInt(api.currentRevision));
  expect(Object.isFrozen(informer.store.get("x/a")?.data)).toBe(true);
  await informer.stop();
  expect(api.openWatches).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

test("a dropped watch resumes at the last revision: nothing missed, no second list", async () => {
  const { clock, api, informer, seen } = open();
  await informer.start();
  await clock.advance(0);
  api.dropWatches(serviceUnavailable("gone"));
  await clock.advance(0);
  await api.create(configMaps, make("a"));
  await api.delete(configMaps, key("a"));
  await clock.advance(60_000);
  expect(seen).toEqual(["+a", "-a"]);
  expect(informer.lists).toBe(1);
  await informer.stop();
});

test("history gone: lists again and tells handlers the difference only", async () => {
  const { clock, api, informer, seen } = open();
  await api.create(configMaps, make("kept"));
  await api.create(configMaps, make("removed"));
  await informer.start();
  await clock.advance(0);
  seen.length = 0;
  let down = true;
  api.before = (request) => {
    if (down && request.verb === "watch") throw serviceUnavailable("down");
  };
  api.dropWatches();
  await clock.advance(0);
  await api.delete(configMaps, key("removed"));
  await api.create(configMaps, make("new"));
  api.compact();
  down = false;
  await clock.advance(60_000);
  expect(seen).toEqual(["-removed", "+new"]);
  expect(informer.lists).toBe(2);
  await informer.stop();
});

test("an object deleted and made again under its name is a deletion and an addition", async () => {
  const { clock, api, informer, seen } = open();
  await api.create(configMaps, make("a"));
  await informer.start();
  await clock.advance(0);
  api.before = (request) => {
    if (request.verb === "watch") throw expired("compacted");
  };
  api.dropWatches();
  await api.delete(configMaps, key("a"));
  await api.create(configMaps, make("a"));
  await clock.advance(60_000);
  expect(seen).toEqual(["+a", "-a", "+a"]);
  await informer.stop();
});

test("a bookmark moves the revision from which the next watch resumes", async () => {
  const { clock, api, informer } = open();
  await informer.start();
  await clock.advance(0);
  const pods: ResourceRef<ApiObject> = { ...configMaps, kind: "Pod", resource: "pods" };
  await api.create(pods, { metadata: { name: "p", namespace: "x" } });
  api.sendBookmarks();
  await clock.advance(0);
  api.compact();
  api.dropWatches();
  await clock.advance(10_000);
  expect(informer.lists).toBe(1);
  await informer.stop();
});

test("stopping before the first list rejects whenSynced", async () => {
  const { clock, api, informer } = open();
  api.before = () => {
    throw serviceUnavailable("down");
  };
  await informer.start();
  await clock.advance(1_000);
  const waiting = informer.whenSynced();
  await informer.stop();
  await expect(waiting).rejects.toThrow("stopped");
  expect(clock.pendingTimers).toBe(0);
});

test("under any faults the store ends equal to the API and each object's handlers alternate rightly", async () => {
  const step = fc.record({
    kind: fc.constantFrom("create", "patch", "delete", "drop", "compact", "wait", "bookmark"),
    name: fc.constantFrom("a", "b", "c"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer(), async (steps, seed) => {
      const { clock, api, informer } = open(5);
      const present = new Set<string>();
      const wrong: string[] = [];
      informer.addHandler({
        added: (object) => {
          if (present.has(object.metadata?.uid ?? "")) wrong.push("added twice");
          present.add(object.metadata?.uid ?? "");
        },
        updated: (object) => {
          if (!present.has(object.metadata?.uid ?? "")) wrong.push("updated before added");
        },
        deleted: (object) => {
          if (!present.delete(object.metadata?.uid ?? "")) wrong.push("deleted before added");
        },
      });
      await informer.start();
      const random = new SeededRandom(seed);
      for (const { kind, name } of steps) {
        if (kind === "create") await api.create(configMaps, make(name)).catch(() => {});
        else if (kind === "delete") await api.delete(configMaps, key(name)).catch(() => {});
        else if (kind === "patch")
          await api
            .patch(configMaps, key(name), { type: "merge", body: { data: { value: String(random.float()) } } })
            .catch(() => {});
        else if (kind === "drop") api.dropWatches(serviceUnavailable("fault"));
        else if (kind === "compact") api.compact();
        else if (kind === "bookmark") api.sendBookmarks();
        else await clock.advance(random.float() * 1_000);
      }
      await clock.advance(120_000);
      const { items } = await api.list(configMaps);
      expect(wrong).toEqual([]);
      expect(informer.store.list().sort((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1))).toEqual(items);
      await informer.stop();
    }),
    { numRuns: 60 },
  );
});

test("a handler that fails stops neither the others nor the informer", async () => {
  const { clock, api, informer } = open();
  const seen: string[] = [];
  informer.addHandler({
    added: () => {
      throw new Error("broken");
    },
  });
  informer.addHandler({ added: (object) => seen.push(object.metadata?.name ?? "") });
  await informer.start();
  await api.create(configMaps, make("a"));
  await api.create(configMaps, make("b"));
  await clock.advance(10);
  expect(seen).toEqual(["a", "b"]);
  expect(informer.lists).toBe(1);
  await informer.stop();
});

test("a deletion that is told without the object hands handlers the last one known", async () => {
  const { clock, api } = open();
  await api.create(configMaps, make("a", "last"));
  const changes: Changes = {
    async follow(_ref, _selection, _from, hearer, signal) {
      hearer.deleted("x/a", undefined);
      hearer.deleted("x/never-there", undefined);
      hearer.reached("77");
      await clock.sleep(1_000_000, signal).catch(() => {});
    },
  };
  const components = { api, changes, clock, random: new SeededRandom(7), log: silentLog };
  const informer = new Informer(components, configMaps);
  const deleted: ConfigMap[] = [];
  informer.addHandler({ deleted: (object) => deleted.push(object) });
  await informer.start();
  await clock.advance(10);
  expect(deleted).toMatchObject([{ metadata: { name: "a" }, data: { value: "last" } }]);
  expect(informer.seenRevision).toBe(77n);
  await informer.stop();
});
