import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { EtcdStore } from "../../lib/store/etcd-store.ts";
import type { StoreEvent, StoreWatchBatch } from "../../lib/store/store.ts";
import { EtcdCluster, type EtcdMember } from "../kit/etcd-cluster.ts";
import { eventually } from "../kit/eventually.ts";

/** Bounds of one call: the deadlines of a write and of a read after it, with room for a busy machine. */
const CALL_LIMIT_MS = 20_000;

let cluster: EtcdCluster;
let store: EtcdStore;
let keys = 0;

beforeAll(async () => {
  cluster = await EtcdCluster.start(3);
});

afterAll(async () => {
  await cluster.stop();
});

beforeEach(async () => {
  await cluster.healthy();
});

function storeAt(members: readonly EtcdMember[]): EtcdStore {
  const endpoints = members.map(({ address }) => address);
  return new EtcdStore({ clock: realClock, log: silentLog }, { endpoints });
}

/** The leader last, so that calls begin at a follower; or first. */
async function ordered(place: "leader-first" | "leader-last"): Promise<EtcdMember[]> {
  const leader = await cluster.leader();
  const rest = cluster.members.filter((member) => member !== leader);
  return place === "leader-first" ? [leader, ...rest] : [...rest, leader];
}

async function put(of: EtcdStore, text: string): Promise<number> {
  const op = { type: "put", key: Buffer.from(`k${keys++}`), value: Buffer.from(text) } as const;
  return (await of.txn({ compare: [], success: [op] })).revision;
}

interface Followed {
  readonly events: StoreEvent[];
  cancel(): void;
}

async function follow(of: EtcdStore, startRevision?: number): Promise<Followed> {
  const events: StoreEvent[] = [];
  const watch = of.watch({
    key: Uint8Array.of(0),
    rangeEnd: Uint8Array.of(0),
    ...(startRevision === undefined ? {} : { startRevision }),
  });
  const created = Promise.withResolvers<StoreWatchBatch>();
  void (async () => {
    for await (const batch of watch) {
      if (batch.type === "events") events.push(...batch.events);
      else created.resolve(batch);
    }
  })();
  await created.promise;
  return { events, cancel: () => watch.cancel() };
}

/** Every revision once and in order, up to the last write. */
async function complete(followed: Followed, from: number, to: number): Promise<void> {
  await eventually(() => expect(followed.events.at(-1)?.kv.modRevision).toBe(to));
  const revisions = followed.events.map(({ kv }) => kv.modRevision);
  expect(revisions).toEqual(Array.from({ length: to - from }, (_, index) => from + 1 + index));
}

async function timed<T>(work: Promise<T>): Promise<T> {
  const startedMs = performance.now();
  try {
    return await work;
  } finally {
    expect(performance.now() - startedMs).toBeLessThan(CALL_LIMIT_MS);
  }
}

test("F9: the member that serves is killed: reads and watches go on at another, without a gap or a repetition", async () => {
  const members = await ordered("leader-last");
  store = storeAt(members);
  const followed = await follow(store);
  const from = (await store.status()).revision;
  await put(store, "before");
  await members[0]!.kill();
  for (let index = 0; index < 20; index++) await eventually(() => put(store, "during"));
  const { revision } = await store.range({ key: Buffer.from("k0") });
  await complete(followed, from, revision);
  members[0]!.start();
  await store.close();
});

test("F2: the member that serves is frozen: calls end in time, the watch goes on elsewhere, keep-alives too", async () => {
  const members = await ordered("leader-last");
  store = storeAt(members);
  const followed = await follow(store);
  const from = (await store.status()).revision;
  const { id } = await store.leaseGrant({ ttlSeconds: 60 });
  expect(await store.leaseKeepAlive(id)).toBe(60);
  members[0]!.freeze();
  try {
    const other = storeAt(members.slice(1));
    const revision = await put(other, "elsewhere");
    await other.close();
    await timed(store.range({ key: Buffer.from("k0") }));
    // The stream of keep-alives stands on the frozen one still: it fails in time, and the next is asked elsewhere.
    await timed(store.leaseKeepAlive(id)).catch((error) => expect(error).toMatchObject({ code: "UNAVAILABLE" }));
    expect(await timed(store.leaseKeepAlive(id))).toBe(60);
    await complete(followed, from, revision);
    expect(await timed(put(store, "after"))).toBe(revision + 1);
  } finally {
    members[0]!.thaw();
    await store.close();
  }
});

test("F9: a frozen leader: writes fail over or say that they do not know, and what was acknowledged is there", async () => {
  const members = await ordered("leader-first");
  store = storeAt(members);
  const followed = await follow(store);
  const from = (await store.status()).revision;
  const acknowledged: number[] = [];
  members[0]!.freeze();
  try {
    const failures: unknown[] = [];
    await eventually(async () => {
      const outcome = await timed(put(store, "x")).catch((error: unknown) => void failures.push(error));
      if (outcome !== undefined) acknowledged.push(outcome);
      expect(acknowledged.length).toBeGreaterThanOrEqual(5);
    });
    for (const failure of failures) expect(failure).toMatchObject({ code: "UNAVAILABLE" });
  } finally {
    members[0]!.thaw();
  }
  await cluster.healthy();
  await complete(followed, from, (await store.status()).revision);
  expect(followed.events.map(({ kv }) => kv.modRevision)).toEqual(expect.arrayContaining(acknowledged));
  await store.close();
});

test("F9: the leader is moved: every call goes through, and the watch has each revision once", async () => {
  store = storeAt(cluster.members);
  const followed = await follow(store);
  const from = (await store.status()).revision;
  for (let move = 0; move < 3; move++) {
    const moving = cluster.moveLeader();
    for (let index = 0; index < 20; index++) await eventually(() => put(store, "x"));
    await moving;
  }
  await complete(followed, from, (await store.range({ key: Buffer.from("k0") })).revision);
  await store.close();
});

test("F9: without a quorum reads and writes fail in time, watches wait, and all is back with the quorum", async () => {
  store = storeAt(cluster.members);
  const followed = await follow(store);
  const from = (await store.status()).revision;
  const last = await put(store, "before");
  const [stays, ...others] = cluster.members as [EtcdMember, ...EtcdMember[]];
  await Promise.all(others.map((member) => member.kill()));
  await eventually(async () => {
    await expect(timed(store.range({ key: Buffer.from("k0") }))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
  await expect(timed(put(store, "x"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  // The one that is left would answer from the past; nobody asks it for that.
  const alone = storeAt([stays]);
  await expect(timed(alone.range({ key: Buffer.from("k0") }))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await alone.close();
  for (const member of others) member.start();
  await cluster.healthy();
  const after = await eventually(() => put(store, "after"));
  expect(after).toBeGreaterThan(last);
  await complete(followed, from, after);
  await store.close();
});

test("a watch from a revision that a lagging member does not have waits for it", async () => {
  const members = await ordered("leader-last");
  const lagging = members[0]!;
  lagging.freeze();
  const ahead = storeAt(members.slice(1));
  const followedAt: number[] = [];
  try {
    for (let index = 0; index < 10; index++) followedAt.push(await put(ahead, "x"));
  } finally {
    lagging.thaw();
  }
  store = storeAt([lagging]);
  const startRevision = followedAt.at(-1)!;
  const followed = await follow(store, startRevision);
  const fromNow = await follow(store);
  const next = await put(ahead, "next");
  await complete(followed, startRevision - 1, next);
  await complete(fromNow, next - 1, next);
  await ahead.close();
  await store.close();
});
