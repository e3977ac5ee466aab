import type { KeyValue, StoreEvent } from "../../../lib/store/store.ts";
import { keyBytes } from "./bytes.ts";
import type { Database, EventRow } from "./database.ts";
import { type IndexEntry, KeyIndex } from "./key-index.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * The store as the transaction in hand sees it: database, index and leases together, with everything that can be
 * taken back when the commit fails. The database takes its own part back (ROLLBACK).
 */
export class State {
  readonly db: Database;
  readonly index = new KeyIndex();
  /** Granted time to live by lease. */
  readonly leases = new Map<bigint, number>();
  /** Keys held by each lease that holds any. */
  readonly #keysOfLease = new Map<bigint, Set<string>>();
  revision: number;
  /** Reads below this revision are refused. */
  compactRevision: number;
  lastId: number;
  #undo: (() => void)[] = [];

  constructor(db: Database) {
    this.db = db;
    const last = db.last();
    this.lastId = last.id;
    this.compactRevision = Number(db.meta("compactRevision"));
    this.revision = Math.max(1, last.mod, this.compactRevision);
    this.index.load(this.#loading());
    for (const lease of db.leases()) this.leases.set(lease.id, lease.ttlSeconds);
  }

  keysOfLease(id: bigint): readonly string[] {
    return [...(this.#keysOfLease.get(id) ?? [])].sort();
  }

  /** Writes a version of a key at `revision` and returns the event. */
  put(key: Uint8Array, text: string, value: Uint8Array, lease: bigint, revision: number): StoreEvent {
    const before = this.index.get(text);
    const entry: IndexEntry = {
      key: text,
      id: this.#nextId(),
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1,
      lease,
    };
    this.db.insert({
      id: entry.id,
      mod: revision,
      created: entry.createRevision,
      version: entry.version,
      lease: lease === 0n ? null : String(lease),
      key,
      value,
    });
    this.#replace(text, before, entry);
    return { type: "put", kv: keyValue(key, value, entry) };
  }

  delete(entry: IndexEntry, revision: number): StoreEvent {
    const key = keyBytes(entry.key);
    this.db.insert({ id: this.#nextId(), mod: revision, created: 0, version: 0, lease: null, key, value: null });
    this.#replace(entry.key, entry, undefined);
    return { type: "delete", kv: tombstone(key, revision) };
  }

  setRevision(revision: number): void {
    const before = this.revision;
    this.#undo.push(() => {
      this.revision = before;
    });
    this.revision = revision;
  }

  setCompactRevision(revision: number): void {
    const before = this.compactRevision;
    this.#undo.push(() => {
      this.compactRevision = before;
    });
    this.db.setMeta("compactRevision", String(revision));
    this.compactRevision = revision;
  }

  grantLease(id: bigint, ttlSeconds: number): void {
    this.db.statement("INSERT INTO lease (id, ttl_seconds) VALUES (?, ?)").run(String(id), ttlSeconds);
    this.#undo.push(() => this.leases.delete(id));
    this.leases.set(id, ttlSeconds);
  }

  forgetLease(id: bigint): void {
    const ttlSeconds = this.leases.get(id)!;
    this.db.statement("DELETE FROM lease WHERE id = ?").run(String(id));
    this.#undo.push(() => this.leases.set(id, ttlSeconds));
    this.leases.delete(id);
  }

  /** The version that an index entry points to. */
  read(entry: IndexEntry, keysOnly = false): KeyValue {
    const key = keyBytes(entry.key);
    return keyValue(key, keysOnly ? NO_BYTES : this.db.value(entry, key), entry);
  }

  /** Everything since the last call is durable. */
  keep(): void {
    this.#undo = [];
  }

  /** Everything since `keep` did not happen. */
  takeBack(): void {
    for (const step of this.#undo.reverse()) step();
    this.#undo = [];
  }

  #nextId(): number {
    const before = this.lastId;
    this.#undo.push(() => {
      this.lastId = before;
    });
    this.lastId = before + 1;
    return this.lastId;
  }

  #replace(key: string, before: IndexEntry | undefined, after: IndexEntry | undefined): void {
    this.#undo.push(() => this.#point(key, after, before));
    this.#point(key, before, after);
  }

  #point(key: string, before: IndexEntry | undefined, after: IndexEntry | undefined): void {
    if (after === undefined) this.index.delete(key);
    else this.index.set(after);
    if ((before?.lease ?? 0n) === (after?.lease ?? 0n)) return;
    if (before !== undefined) this.#detach(before);
    if (after !== undefined) this.#attach(after);
  }

  #attach(entry: IndexEntry): void {
    if (entry.lease === 0n) return;
    const keys = this.#keysOfLease.get(entry.lease);
    if (keys === undefined) this.#keysOfLease.set(entry.lease, new Set([entry.key]));
    else keys.add(entry.key);
  }

  #detach(entry: IndexEntry): void {
    const keys = this.#keysOfLease.get(entry.lease);
    if (keys === undefined) return;
    keys.delete(entry.key);
    if (keys.size === 0) this.#keysOfLease.delete(entry.lease);
  }

  *#loading(): Generator<IndexEntry> {
    for (const entry of this.db.liveEntries()) {
      this.#attach(entry);
      yield entry;
    }
  }
}

export function keyValue(key: Uint8Array, value: Uint8Array, entry: Omit<IndexEntry, "key" | "id">): KeyValue {
  return {
    key,
    value,
    createRevision: entry.createRevision,
    modRevision: entry.modRevision,
    version: entry.version,
    lease: entry.lease,
  };
}

/** What a delete event carries. */
export function tombstone(key: Uint8Array, revision: number): KeyValue {
  return { key, value: NO_BYTES, createRevision: 0, modRevision: revision, version: 0, lease: 0n };
}

/** A row as clients see it. */
export function rowKeyValue(row: EventRow, keysOnly = false): KeyValue {
  return {
    key: row.key,
    value: keysOnly || row.value === null ? NO_BYTES : row.value,
    createRevision: row.created,
    modRevision: row.mod,
    version: row.version,
    lease: row.lease === null ? 0n : BigInt(row.lease),
  };
}
