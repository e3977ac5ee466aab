import { expect, test } from "vitest";
import { prefixEnd } from "../../lib/store/store.ts";
import { bytes, openTestStore, put, remove } from "./testkit/test-store.ts";

const RANGE = { key: bytes("k"), rangeEnd: prefixEnd(bytes("k")) };
const name = (i: number) => `k${String(i).padStart(5, "0")}`;

async function filled(count: number) {
  const store = await openTestStore();
  await Promise.all(Array.from({ length: count }, (_, i) => put(store, name(i), "old")));
  return store;
}

test("a large range is read at one revision while keys change under it", async () => {
  const store = await filled(2_300);
  const before = store.revision;
  const reading = store.range(RANGE);
  const writing = (async () => {
    for (let i = 2_299; i > 2_200; i--) await put(store, name(i), "new");
    for (let i = 2_000; i < 2_100; i++) await remove(store, name(i));
  })();
  const { kvs, count, more, revision } = await reading;
  await writing;
  expect({ count, more, revision }).toEqual({ count: 2_300, more: false, revision: before });
  expect(kvs.map((kv) => Buffer.from(kv.key).toString())).toEqual(Array.from({ length: 2_300 }, (_, i) => name(i)));
  expect(kvs.every((kv) => kv.modRevision <= before)).toBe(true);
  await store.close();
});

test("a limit above a page is kept, and says whether there is more", async () => {
  const store = await filled(1_600);
  const some = await store.range({ ...RANGE, limit: 1_200 });
  expect([some.kvs.length, some.more, some.count]).toEqual([1_200, true, 1_600]);
  const all = await store.range({ ...RANGE, limit: 1_600 });
  expect([all.kvs.length, all.more, all.count]).toEqual([1_600, false, 1_600]);
  const old = await store.range({ ...RANGE, revision: 1_001, keysOnly: true });
  expect([old.kvs.length, old.more, old.count]).toEqual([1_000, false, 1_000]);
  await store.close();
});

test("a read of now that a compaction overtakes begins again; one of a compacted revision fails", async () => {
  const store = await filled(1_600);
  const old = store.revision - 1;
  const reading = store.range(RANGE);
  const late = expect(store.range({ ...RANGE, revision: old })).rejects.toMatchObject({ code: "OUT_OF_RANGE" });
  await put(store, name(0), "new");
  await put(store, name(0), "newer");
  await store.compact(store.revision);
  const { kvs, revision } = await reading;
  expect(kvs.length).toBe(1_600);
  expect(revision).toBe(store.revision);
  await late;
  await store.close();
});
