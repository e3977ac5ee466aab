import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../lib/core/log.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { Codec } from "../../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import type { Store, StoreWatchBatch } from "../../../lib/store/store.ts";
import type { SqliteStore } from "../../store/sqlite-store.ts";
import { openTestStore } from "../../store/testkit/test-store.ts";
import { KindTable } from "../core/kind-table.ts";
import { MemoBudget } from "./memo-budget.ts";
import { WatchCache } from "./watch-cache.ts";

const kinds = new KindTable(loadRegistry(kindDescriptors), new Codec());
const configMaps = kinds.get("", "v1", "configmaps").stored;

let clock: VirtualClock;
let store: SqliteStore;
let cache: WatchCache;
let gate: PromiseWithResolvers<void> | undefined;

beforeEach(async () => {
  clock = new VirtualClock();
  store = await openTestStore({ clock });
  gate = undefined;
  const held = new Proxy<Store>(store, {
    get: (target, name: keyof Store) => (name === "watch" ? heldWatch : target[name].bind(target)),
  });
  const budget = new MemoBudget(1024 * 1024);
  cache = new WatchCache(
    { store: held, clock, log: silentLog, budget, kinds: kinds.stored() },
    { ring: { events: 100, sizeBytes: 1024 * 1024 } },
  );
  await cache.start();
});

afterEach(async () => {
  gate?.resolve();
  const stopping = cache.stop();
  await clock.advance(1_000);
  await stopping;
  await store.close();
});

/** A watch whose batches wait at the gate. */
function heldWatch(request: Parameters<Store["watch"]>[0]): ReturnType<Store["watch"]> {
  const watch = store.watch(request);
  return {
    requestProgress: () => {},
    cancel: () => watch.cancel(),
    async *[Symbol.asyncIterator](): AsyncGenerator<StoreWatchBatch> {
      for await (const batch of watch) {
        await gate?.promise;
        yield batch;
      }
    },
  };
}

async function write(name: string): Promise<number> {
  const value = configMaps.encodeStored({ metadata: { name, namespace: "default" } });
  const op = { type: "put", key: Buffer.from(`/registry/configmaps/default/${name}`), value } as const;
  return (await store.txn({ compare: [], success: [op] })).revision;
}

test("fresh waits for what the store has, and fails rather than show what is old", async () => {
  expect(await cache.fresh()).toBe((await store.status()).revision);
  gate = Promise.withResolvers();
  const revision = await write("a");
  const late = expect(cache.fresh()).rejects.toMatchObject({ code: 504, reason: "Timeout" });
  // The question to the store takes turns of its thread, and no time.
  for (let trips = 0; trips < 3; trips++) await store.status();
  await clock.advance(4_999);
  expect(cache.of(configMaps).get("default/a")).toBeUndefined();
  await clock.advance(1);
  await late;
  const waiting = cache.fresh();
  for (let trips = 0; trips < 3; trips++) await store.status();
  gate.resolve();
  expect(await waiting).toBe(revision);
  expect(cache.of(configMaps).get("default/a")?.revision).toBe(revision);
});

test("history that was compacted before it was read: everything is listed again, and watches begin anew", async () => {
  await write("gone");
  await cache.fresh();
  const { generation } = cache.of(configMaps);
  gate = Promise.withResolvers();
  await write("a");
  const gone = { type: "delete", key: Buffer.from("/registry/configmaps/default/gone") } as const;
  const { revision } = await store.txn({ compare: [], success: [gone] });
  await store.compact(revision);
  gate.reject(new Error("the line broke"));
  gate = undefined;
  await expect
    .poll(async () => {
      await clock.advance(250);
      return cache.revision;
    })
    .toBe(revision);
  expect(cache.of(configMaps).generation).toBe(generation + 1);
  expect(cache.of(configMaps).get("default/gone")).toBeUndefined();
  expect(cache.of(configMaps).get("default/a")).toBeDefined();
  expect(cache.of(configMaps).ring.positionAfter(revision - 1)).toBeUndefined();
});
