import { expect, test } from "vitest";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import type { HistoryAnswer, Transaction } from "./engine/protocol.ts";
import { bytes, EVERYTHING, openTestStore, put } from "./testkit/test-store.ts";
import { WatchHub } from "./watch-hub.ts";

const NO_HISTORY: HistoryAnswer = { transactions: [], nextRevision: 0, compactRevision: undefined };

function makeHub() {
  return new WatchHub({ history: async () => NO_HISTORY, keepPrevious: async () => {} }, 1, 0);
}

function transaction(revision: number, key: string): Transaction {
  const kv = {
    key: bytes(key),
    value: bytes("v"),
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: 0n,
  };
  return { revision, events: [{ type: "put", kv }] };
}

test("invariant 15: a watch that is cancelled or whose store closes is forgotten at once", async () => {
  const hub = makeHub();
  const one = hub.watch({ key: bytes("a") });
  const two = hub.watch(EVERYTHING);
  const waiting = two[Symbol.asyncIterator]();
  await waiting.next();
  const next = waiting.next();
  expect(hub.watcherCount).toBe(2);
  one.cancel();
  expect(hub.watcherCount).toBe(1);
  hub.close();
  expect(hub.watcherCount).toBe(0);
  expect((await next).done).toBe(true);
});

test("invariant 15: leaving the loop over a watch cancels it", async () => {
  const hub = makeHub();
  for await (const batch of hub.watch(EVERYTHING)) {
    expect(batch.type).toBe("created");
    break;
  }
  expect(hub.watcherCount).toBe(0);
});

test("invariant 15: watchers that do not read cost the others next to nothing", async () => {
  const elapsedMs = async (stuckCount: number) => {
    const hub = makeHub();
    for (let i = 0; i < stuckCount; i++) hub.watch({ key: bytes("stuck/"), rangeEnd: bytes("stuck0") });
    const healthy = hub.watch({ key: bytes("k"), rangeEnd: bytes("l") })[Symbol.asyncIterator]();
    await healthy.next();
    const start = performance.now();
    for (let revision = 2; revision < 3_000; revision++) {
      const next = healthy.next();
      hub.publish([transaction(revision, `k${revision}`)], revision, 0);
      expect((await next).value).toMatchObject({ type: "events", revision });
    }
    hub.close();
    return performance.now() - start;
  };
  await elapsedMs(0);
  const alone = Math.min(await elapsedMs(0), await elapsedMs(0));
  const besideOne = Math.min(await elapsedMs(1), await elapsedMs(1));
  // The goal is 5 % at the 99th percentile; a shared machine allows only a coarse check of it.
  expect(besideOne).toBeLessThan(2 * alone + 20);
});

test("a transaction wakes only the watchers that it concerns", async () => {
  const hub = makeHub();
  let woken = 0;
  for (let i = 0; i < 500; i++) {
    const watch = hub.watch({ key: bytes(`k${i}`) })[Symbol.asyncIterator]();
    await watch.next();
    void watch.next().then(() => woken++);
  }
  hub.publish([transaction(2, "k7")], 2, 0);
  await Promise.resolve();
  expect(woken).toBe(1);
  hub.close();
});

test("invariant 12: periodic progress goes to idle watches that want it, with the durable revision", async () => {
  const clock = new VirtualClock();
  const store = await openTestStore({ clock, progressIntervalMs: 1_000 });
  const wanting = store.watch({ key: bytes("a"), progressNotify: true })[Symbol.asyncIterator]();
  const other = store.watch({ key: bytes("a") })[Symbol.asyncIterator]();
  await wanting.next();
  await other.next();
  await put(store, "b", "1");
  const next = wanting.next();
  const none = other.next();
  await clock.advance(1_000);
  expect(await next).toEqual({ done: false, value: { type: "progress", revision: 2 } });
  await put(store, "a", "1");
  expect(await none).toMatchObject({ value: { type: "events", revision: 3 } });
  await store.close();
});

test("a watch that falls behind the ring goes on from the database", async () => {
  const store = await openTestStore();
  const watch = store.watch({ key: bytes("a"), bufferLimit: 1_000_000 })[Symbol.asyncIterator]();
  await watch.next();
  for (let batch = 0; batch < 30; batch++) {
    await Promise.all(Array.from({ length: 400 }, (_, i) => put(store, "a", `${batch}-${i}`)));
  }
  let expected = 2;
  while (expected < 2 + 12_000) {
    const { value } = await watch.next();
    if (value?.type !== "events") throw new Error(`unexpected ${JSON.stringify(value)}`);
    for (const event of value.events) expect(event.kv.modRevision).toBe(expected++);
  }
  await store.close();
});
