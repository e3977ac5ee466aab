import { expect, test } from "vitest";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { bytes, EVERYTHING, openTestStore, put } from "./testkit/test-store.ts";

function keeper() {
  const clock = new VirtualClock();
  const expired: [bigint, number][] = [];
  const leases = new LeaseKeeper(clock, { expired: (id) => expired.push([id, clock.monotonicMs()]) });
  return { clock, leases, expired };
}

test("invariant 14: a lease ends when its time is over and not before", async () => {
  const { clock, leases, expired } = keeper();
  leases.add(1n, 10);
  await clock.advance(9_999);
  expect(expired).toEqual([]);
  expect(leases.timeToLive(1n)).toEqual({ leftSeconds: 1, grantedSeconds: 10 });
  await clock.advance(1);
  expect(expired).toEqual([[1n, 10_000]]);
  expect(leases.keepAlive(1n)).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

test("invariant 14: a lease that is kept alive has its full time again", async () => {
  const { clock, leases, expired } = keeper();
  leases.add(1n, 10);
  await clock.advance(9_000);
  expect(leases.keepAlive(1n)).toBe(10);
  await clock.advance(9_999);
  expect(expired).toEqual([]);
  await clock.advance(1);
  expect(expired).toEqual([[1n, 19_000]]);
});

test("invariant 14: wall time does not matter, and neither does a time to live above 2^31 ms", async () => {
  const { clock, leases, expired } = keeper();
  leases.add(1n, 3_000_000);
  clock.stepWall(-86_400_000);
  clock.stepWall(1_000 * 86_400_000);
  await clock.advance(2 ** 31 + 1_000);
  expect(expired).toEqual([]);
  await clock.advance(3_000_000_000);
  expect(expired).toEqual([[1n, 3_000_000_000]]);
});

test("invariant 14: keys go in one revision, and only those that the lease still holds", async () => {
  const clock = new VirtualClock();
  const store = await openTestStore({ clock });
  const { id } = await store.leaseGrant({ ttlSeconds: 5 });
  await put(store, "a", "1", id);
  await put(store, "b", "1", id);
  await put(store, "c", "1", id);
  const { revision } = await put(store, "c", "without the lease");
  const watch = store.watch(EVERYTHING)[Symbol.asyncIterator]();
  await watch.next();
  expect((await store.leaseTimeToLive(id, true)).keys.map((key) => Buffer.from(key).toString())).toEqual(["a", "b"]);
  await clock.advance(5_000);
  const { value } = await watch.next();
  expect(value).toMatchObject({
    type: "events",
    revision: revision + 1,
    events: [{ type: "delete" }, { type: "delete" }],
  });
  expect((await store.range({ ...EVERYTHING, countOnly: true })).count).toBe(1);
  expect(await store.leaseList()).toEqual([]);
  await store.close();
  expect(clock.pendingTimers).toBe(0);
});

test("a lease of no key expires without a revision", async () => {
  const clock = new VirtualClock();
  const store = await openTestStore({ clock });
  await put(store, "a", "1");
  await store.leaseGrant({ ttlSeconds: 5 });
  await clock.advance(6_000);
  expect((await store.range({ key: bytes("a") })).revision).toBe(2);
  expect(await store.leaseList()).toEqual([]);
  await store.close();
});
