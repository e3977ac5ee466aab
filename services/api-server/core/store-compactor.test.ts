import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../lib/core/log.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { type Store, StoreError } from "../../../lib/store/store.ts";
import type { SqliteStore } from "../../store/sqlite-store.ts";
import { openTestStore } from "../../store/testkit/test-store.ts";
import { StoreCompactor } from "./store-compactor.ts";

const MINUTE_MS = 60_000;
const KEY = Buffer.from("compact_rev_key");

let clock: VirtualClock;
let store: SqliteStore;
let compactions: { by: string; revision: number }[];
let running: StoreCompactor[];

beforeEach(async () => {
  clock = new VirtualClock();
  store = await openTestStore({ clock });
  compactions = [];
  running = [];
});

afterEach(async () => {
  await Promise.all(running.map((compactor) => compactor.stop()));
  await store.close();
});

async function startCompactor(by: string, wrap: (compact: Store["compact"]) => Store["compact"] = (same) => same) {
  const compact = wrap(async (revision) => {
    compactions.push({ by, revision });
    await store.compact(revision);
  });
  const own = new Proxy<Store>(store, {
    get: (target, member: keyof Store) => (member === "compact" ? compact : target[member].bind(target)),
  });
  const compactor = new StoreCompactor({ store: own, clock, log: silentLog });
  running.push(compactor);
  await compactor.start();
  return compactor;
}

async function write(text: string): Promise<number> {
  const put = { type: "put", key: Buffer.from("k"), value: Buffer.from(text) } as const;
  return (await store.txn({ compare: [], success: [put] })).revision;
}

/** A turn of every compactor; the clock alone does not wait for the store's thread. */
async function turn(): Promise<void> {
  const before = await version();
  await clock.advance(5 * MINUTE_MS);
  await expect.poll(version, { interval: 1 }).toBe(before + 1);
  for (let trips = 0; trips < 3; trips++) await store.status();
}

async function version(): Promise<number> {
  return (await store.range({ key: KEY })).kvs[0]?.version ?? 0;
}

test("of two api-servers one compacts, at each turn to where the store stood a turn before", async () => {
  await startCompactor("a");
  await startCompactor("b");
  await write("1");
  await turn();
  expect(compactions).toEqual([]);
  const second = await write("2");
  await turn();
  expect(compactions).toHaveLength(1);
  expect(compactions[0]!.revision).toBeLessThan(second);
  await expect(store.range({ key: KEY, revision: compactions[0]!.revision - 1 })).rejects.toThrow("compacted");
  await store.range({ key: KEY, revision: second });
  await turn();
  expect(compactions).toHaveLength(2);
  expect(compactions[1]!.revision).toBeGreaterThanOrEqual(second);
});

test("who starts while others compact waits its turns, and goes on alone when they are gone", async () => {
  const first = await startCompactor("a");
  for (let turns = 0; turns < 3; turns++) await turn();
  await first.stop();
  compactions.length = 0;
  await startCompactor("b");
  const started = await write("3");
  // Its first turn learns the count, its second compacts to where the store stood at the first.
  await clock.advance(5 * MINUTE_MS);
  for (let trips = 0; trips < 3; trips++) await store.status();
  expect(compactions).toEqual([]);
  await turn();
  expect(compactions).toEqual([{ by: "b", revision: started }]);
});

test("a store that is away costs a turn, and what others have compacted is no failure", async () => {
  let failures: StoreError[] = [];
  await startCompactor("a", (compact) => async (revision) => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    await compact(revision);
  });
  failures = [new StoreError("UNAVAILABLE", "away"), new StoreError("OUT_OF_RANGE", "compacted")];
  for (let turns = 0; turns < 3; turns++) await turn();
  expect(failures).toEqual([]);
  const last = await write("4");
  await turn();
  await turn();
  expect(compactions.at(-1)!.revision).toBeGreaterThanOrEqual(last);
});
