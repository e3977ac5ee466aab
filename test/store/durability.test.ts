import { mkdtempSync, rmSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import type { KeyValue, RangeRequest, StoreEvent } from "../../lib/store/store.ts";
import { REVISION_BUMP, restoreSnapshot } from "../../services/store/restore.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";
import { stateHash } from "../../services/store/state-hash.ts";
import { bytes, EVERYTHING, openTestStore, put, remove } from "../../services/store/testkit/test-store.ts";
import { eventually } from "../kit/eventually.ts";

const text = (value: Uint8Array) => Buffer.from(value).toString();

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "keelson-durability-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What a store must hold after these changes, kept in the plainest way. */
class Model {
  readonly live = new Map<string, KeyValue>();
  revision = 1;

  put(key: string, value: string, lease: bigint): void {
    this.revision++;
    const before = this.live.get(key);
    this.live.set(key, {
      key: bytes(key),
      value: bytes(value),
      createRevision: before?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (before?.version ?? 0) + 1,
      lease,
    });
  }

  remove(key: string): void {
    if (this.live.delete(key)) this.revision++;
  }

  range(request: RangeRequest) {
    const from = Buffer.from(request.key).toString("latin1");
    const kvs = [...this.live]
      .filter(([key]) => key >= from)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, kv]) => kv);
    const limit = request.limit ?? kvs.length;
    return { revision: this.revision, kvs: kvs.slice(0, limit), more: kvs.length > limit, count: kvs.length };
  }
}

async function change(store: SqliteStore, model: Model, count: number, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const { id } = await store.leaseGrant({ ttlSeconds: 1_000 });
  // All at once: the order of the calls is the order of the writes.
  const writes: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) {
    const key = `k${Math.floor(random.float() * 300)}`;
    if (random.float() < 0.25) {
      writes.push(remove(store, key));
      model.remove(key);
    } else {
      const lease = random.float() < 0.2 ? id : 0n;
      writes.push(put(store, key, `${i}`, lease));
      model.put(key, `${i}`, lease);
    }
  }
  await Promise.all(writes);
}

test("invariant 7: the hash at a revision is that of the model, over compaction, restart, backup and restore", async () => {
  const dataDir = path.join(dir, "data");
  const model = new Model();
  let store = await openTestStore({ dataDir });
  await change(store, model, 1_200, 1);
  const wanted = await stateHash({ range: async (request) => model.range(request) }, 0);
  const at = store.revision;
  expect(at).toBe(model.revision);
  expect(await stateHash(store, 0)).toEqual(wanted);
  await change(store, model, 300, 2);
  expect(await stateHash(store, at)).toEqual(wanted);
  await store.compact(at, true);
  expect(await stateHash(store, at)).toEqual(wanted);
  await store.close();
  store = await openTestStore({ dataDir });
  expect(await stateHash(store, at)).toEqual(wanted);
  const now = await stateHash(store, 0);
  const file = path.join(dir, "snapshot");
  const snapshot = await store.snapshot();
  await writeFile(file, snapshot.chunks());
  expect(statSync(file).size).toBe(snapshot.sizeBytes);
  await snapshot.dispose();
  const { epoch } = store.identity;
  await store.close();
  const restoredDir = path.join(dir, "restored");
  const { revision } = await restoreSnapshot({ file, dataDir: restoredDir }, new SeededRandom(7));
  const restored = await openTestStore({ dataDir: restoredDir });
  expect((await stateHash(restored, 0)).hash).toBe(now.hash);
  expect(restored.revision).toBe(revision);
  expect(restored.identity.epoch).not.toBe(epoch);
  expect((await put(restored, "k1", "next")).revision).toBe(revision + 1);
  const watch = restored.watch({ ...EVERYTHING, startRevision: now.revision + 1 })[Symbol.asyncIterator]();
  await watch.next();
  expect(await watch.next(), "invariant 54").toMatchObject({ value: { type: "cancelled", compactRevision: revision } });
  await restored.close();
});

test("a snapshot taken while keys change and history goes is the store at its revision", async () => {
  const store = await openTestStore({ dataDir: path.join(dir, "data") });
  const history = store.watch({ ...EVERYTHING, bufferLimit: 10_000_000 });
  const events: StoreEvent[] = [];
  const reading = (async () => {
    for await (const batch of history) if (batch.type === "events") events.push(...batch.events);
  })();
  await Promise.all(Array.from({ length: 3_000 }, (_, i) => put(store, `k${i % 500}`, `${i}`.padEnd(500, "."))));
  let writing = true;
  const changing = (async () => {
    for (let i = 0; writing; i++) {
      const puts = Array.from({ length: 20 }, (_, j) => put(store, `k${(i * 7 + j) % 500}`, `new ${i}`));
      const deletes = Array.from({ length: 10 }, (_, j) => remove(store, `k${(i * 11 + j) % 500}`));
      await Promise.all([...puts, ...deletes]);
      await store.compact(store.revision - 1);
    }
  })();
  const copies: { revision: number; kvs: readonly KeyValue[] }[] = [];
  for (let round = 0; round < 3; round++) {
    const file = path.join(dir, `snapshot-${round}`);
    const snapshot = await store.snapshot();
    await writeFile(file, snapshot.chunks());
    await snapshot.dispose();
    const target = path.join(dir, `restored-${round}`);
    const { revision } = await restoreSnapshot({ file, dataDir: target }, new SeededRandom(round));
    expect(revision - REVISION_BUMP).toBe(snapshot.revision);
    const restored = await openTestStore({ dataDir: target });
    copies.push({ revision: snapshot.revision, kvs: (await restored.range(EVERYTHING)).kvs });
    await restored.close();
  }
  writing = false;
  await changing;
  await eventually(() => expect(events.at(-1)?.kv.modRevision).toBe(store.revision));
  await store.close();
  await reading;
  for (const { revision, kvs } of copies) {
    const live = new Map<string, string>();
    for (const { type, kv } of events) {
      if (kv.modRevision > revision) break;
      if (type === "put") live.set(text(kv.key), `${kv.modRevision} ${text(kv.value)}`);
      else live.delete(text(kv.key));
    }
    const found = new Map(kvs.map((kv) => [text(kv.key), `${kv.modRevision} ${text(kv.value)}`]));
    expect(found).toEqual(live);
  }
});

test("invariant 10: at a steady load with compaction neither the file nor the log grows without bound", async () => {
  const dataDir = path.join(dir, "data");
  const store = await openTestStore({ dataDir });
  const sizes: number[] = [];
  for (let round = 0; round < 12; round++) {
    const before = store.revision;
    await Promise.all(Array.from({ length: 400 }, (_, i) => put(store, `k${i % 100}`, "x".repeat(2_000))));
    await store.compact(before, true);
    sizes.push((await store.status()).dbSizeBytes);
  }
  expect(sizes.at(-1)).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 4)) * 1.2);
  expect(statSync(path.join(dataDir, "store.db-wal")).size).toBeLessThan(16 * 1024 * 1024);
  const used = (await store.status()).dbSizeInUseBytes;
  await store.compact(store.revision, true);
  await store.defragment();
  const after = await store.status();
  expect(after.dbSizeInUseBytes).toBeLessThan(used);
  expect(after.dbSizeBytes).toBe(after.dbSizeInUseBytes);
  expect((await store.range({ ...EVERYTHING, countOnly: true })).count).toBe(100);
  await store.close();
});

test("F7: a bit that flips in a value, or in what is known of it, is never served as fact", async () => {
  for (const change of ["value = x'00'", "version = version + 1", "lease = '7'", "mod = mod - 1"]) {
    const dataDir = path.join(dir, change.slice(0, 5));
    let store = await openTestStore({ dataDir });
    await put(store, "a", "1");
    await put(store, "b", "1");
    await store.close();
    const file = new DatabaseSync(path.join(dataDir, "store.db"));
    file.exec(`UPDATE event SET ${change} WHERE id = 1`);
    file.close();
    const reasons: string[] = [];
    store = await openTestStore({ dataDir, onFatal: (reason) => reasons.push(reason) });
    expect((await store.range({ key: bytes("b") })).count).toBe(1);
    await expect(store.range({ key: bytes("a") })).rejects.toMatchObject({ code: "DATA_LOSS" });
    expect(reasons).toEqual(["row 1 of store.db is damaged"]);
    await expect(store.range({ key: bytes("b") })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  }
});

test("invariant 3: the revision survives a restart, also when compaction has left no key", async () => {
  const dataDir = path.join(dir, "data");
  let store = await openTestStore({ dataDir });
  await put(store, "a", "1");
  const { revision } = await remove(store, "a");
  await store.compact(revision, true);
  const { epoch } = store.identity;
  await store.close();
  store = await openTestStore({ dataDir });
  expect(store.revision).toBe(revision);
  expect(store.identity.epoch).toBe(epoch);
  await expect(store.range({ key: bytes("a"), revision: revision - 1 })).rejects.toMatchObject({
    code: "OUT_OF_RANGE",
  });
  expect((await put(store, "a", "2")).revision).toBe(revision + 1);
  await store.close();
});

test("invariant 14: a restart gives every lease its full time again", async () => {
  const dataDir = path.join(dir, "data");
  const clock = new VirtualClock();
  let store = await openTestStore({ dataDir, clock });
  const { id } = await store.leaseGrant({ ttlSeconds: 10 });
  await put(store, "a", "1", id);
  await clock.advance(8_000);
  await store.close();
  store = await openTestStore({ dataDir, clock });
  expect((await store.leaseTimeToLive(id, true)).leftSeconds).toBe(10);
  await clock.advance(9_999);
  expect((await store.range({ key: bytes("a") })).count).toBe(1);
  await clock.advance(1);
  expect((await store.range({ key: bytes("a") })).count).toBe(0);
  await store.close();
});

test("a directory is refused while another store has it open", async () => {
  const dataDir = path.join(dir, "data");
  const store = await openTestStore({ dataDir });
  await expect(openTestStore({ dataDir })).rejects.toThrow(`${dataDir} is in use`);
  await put(store, "a", "1");
  await store.close();
});
