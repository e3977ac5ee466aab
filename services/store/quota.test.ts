import { expect, test } from "vitest";
import type { SqliteStore } from "./sqlite-store.ts";
import { bytes, EVERYTHING, openTestStore, put, remove } from "./testkit/test-store.ts";

const QUOTA_BYTES = 2_000_000;
const FULL = { code: "RESOURCE_EXHAUSTED", message: "etcdserver: mvcc: database space exceeded" };
const name = (i: number) => `k${String(i).padStart(4, "0")}`;

/** Puts 10 kB values until one is refused; answers how many there were, and whether the alarm came before. */
async function fill(store: SqliteStore): Promise<{ count: number; alarmed: boolean; usedAtAlarm: number }> {
  let usedAtAlarm = 0;
  for (let count = 0; ; count++) {
    if (store.alarm && usedAtAlarm === 0) usedAtAlarm = (await store.status()).dbSizeInUseBytes;
    const alarmed = store.alarm;
    try {
      await put(store, name(count), "x".repeat(10_000));
    } catch (error) {
      expect(error).toMatchObject(FULL);
      return { count, alarmed, usedAtAlarm };
    }
  }
}

test("invariant 9: alarm at 90 %; at the limit reads, deletes and compaction only; then it goes on", async () => {
  const store = await openTestStore({ quotaBytes: QUOTA_BYTES });
  const { count, alarmed, usedAtAlarm } = await fill(store);
  expect(alarmed).toBe(true);
  expect(usedAtAlarm).toBeGreaterThanOrEqual(0.9 * QUOTA_BYTES);
  expect(usedAtAlarm).toBeLessThan(0.92 * QUOTA_BYTES);
  expect(count).toBeGreaterThan(100);
  await expect(store.leaseGrant({ ttlSeconds: 10 })).rejects.toMatchObject(FULL);
  expect((await store.range({ ...EVERYTHING, countOnly: true })).count).toBe(count);
  const nested = store.txn({
    compare: [],
    success: [{ type: "txn", compare: [], success: [{ type: "put", key: bytes("n"), value: bytes("n") }] }],
  });
  await expect(nested).rejects.toMatchObject(FULL);
  const notTaken = await store.txn({
    compare: [{ key: bytes(name(0)), target: "version", result: "equal", value: 1 }],
    success: [{ type: "range", key: bytes(name(0)) }],
    failure: [{ type: "put", key: bytes("n"), value: bytes("n") }],
  });
  expect(notTaken.succeeded).toBe(true);
  for (let i = 0; i < count; i += 2) await remove(store, name(i));
  await store.compact(store.revision, true);
  expect(store.alarm).toBe(false);
  await put(store, name(0), "again");
  await store.close();
});

test("the alarm can be raised by hand, and cleared as far as its cause is gone", async () => {
  const store = await openTestStore({ quotaBytes: QUOTA_BYTES });
  await store.setAlarm(true);
  expect(store.alarm).toBe(true);
  await expect(put(store, "a", "1")).rejects.toMatchObject(FULL);
  await store.setAlarm(false);
  await put(store, "a", "1");
  await fill(store);
  await store.setAlarm(false);
  expect(store.alarm).toBe(true);
  await expect(put(store, "b", "1")).rejects.toMatchObject(FULL);
  await store.close();
});
