import { closeSync, existsSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { makeFolder } from "../../../lib/process/make-folder.ts";
import type { IndexEntry } from "./key-index.ts";
import type { StoredLease, StoreIdentity } from "./protocol.ts";

/** "KEEL": says whose file it is. */
export const APPLICATION_ID = 0x4b45454c;
/** Raised whenever an older program could not read the file any more. */
export const FORMAT_VERSION = 1;
export const DATABASE_FILE = "store.db";

export const PAGE_BYTES = 4096;
/** Pages of log before they are copied into the database, which holds the writer up: 4 MiB, some 10 to 20 ms. */
const CHECKPOINT_PAGES = 1000;

/** See README.md of services/store. */
export const SCHEMA = `
  CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    mod INTEGER NOT NULL,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease TEXT,
    sum INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB
  );
  CREATE INDEX event_by_key ON event (key);
  CREATE TABLE lease (id TEXT PRIMARY KEY, ttl_seconds INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`;

export const INSERT_EVENT =
  "INSERT INTO event (id, mod, created, version, lease, sum, key, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/** A row of `event`: one version of a key, or (version 0) its deletion. */
export interface EventRow {
  readonly id: number;
  readonly mod: number;
  readonly created: number;
  readonly version: number;
  readonly lease: string | null;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** As it is stored: with the check sum of all of it. */
export type StoredRow = EventRow & { readonly sum: number };

const NO_BYTES = new Uint8Array(0);

function sumOf(row: EventRow): number {
  const head = `${row.id},${row.mod},${row.created},${row.version},${row.lease ?? ""}`;
  return crc32(row.value ?? NO_BYTES, crc32(row.key, crc32(head)));
}

/** A row is not what was written (a bit has flipped on the disk): nothing of the store can be trusted any more. */
export class CorruptError extends Error {
  override readonly name = "CorruptError";
}

/** The data directory cannot be used, and why, in words for a person. */
export class DataDirError extends Error {
  override readonly name = "DataDirError";
}

/** The SQLite file: schema, pragmas and the statements that everything else is made of. */
export class Database {
  readonly sqlite: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #value: StatementSync;
  readonly #row: StatementSync;
  readonly #pageCount: StatementSync;
  readonly #freeCount: StatementSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(dataDir: string | undefined, identityIfNew: StoreIdentity) {
    this.sqlite = open(dataDir, identityIfNew);
    this.#insert = this.sqlite.prepare(INSERT_EVENT);
    this.#value = this.sqlite.prepare("SELECT sum, value FROM event WHERE id = ?");
    this.#row = this.sqlite.prepare("SELECT * FROM event WHERE id = ?");
    this.#pageCount = this.sqlite.prepare("PRAGMA page_count");
    this.#freeCount = this.sqlite.prepare("PRAGMA freelist_count");
  }

  /** The statement for this text, made once. Not to be started again while it is iterated. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  insert(row: EventRow): void {
    const { id, mod, created, version, lease, key, value } = row;
    this.#insert.run(id, mod, created, version, lease, sumOf(row), key, value);
  }

  /** The value of the version that an index entry points to, checked against everything that is known of it. */
  value(entry: IndexEntry, key: Uint8Array): Uint8Array {
    const row = this.#value.get(entry.id) as { sum: number; value: Uint8Array } | undefined;
    const { id, modRevision: mod, createRevision: created, version } = entry;
    const lease = entry.lease === 0n ? null : String(entry.lease);
    return this.checked({ id, mod, created, version, lease, key, value: row?.value ?? null, sum: row?.sum ?? -1 })
      .value!;
  }

  row(id: number): EventRow {
    return this.checked(this.#row.get(id) as unknown as StoredRow);
  }

  /** The row itself, when it is what was written. */
  checked(row: StoredRow): EventRow {
    if (row.sum !== sumOf(row)) throw new CorruptError(`row ${row.id} of ${DATABASE_FILE} is damaged`);
    return row;
  }

  sizeBytes(): number {
    return (this.#pageCount.get() as { page_count: number }).page_count * PAGE_BYTES;
  }

  freeBytes(): number {
    return (this.#freeCount.get() as { freelist_count: number }).freelist_count * PAGE_BYTES;
  }

  /** Copies the log into the file as far as the disk lets it, so that the log starts over. */
  checkpoint(): void {
    try {
      this.sqlite.exec("PRAGMA wal_checkpoint(RESTART)");
    } catch {
      // The file could not grow either; the log keeps what it has.
    }
  }

  meta(name: string): string | undefined {
    const row = this.statement("SELECT value FROM meta WHERE name = ?").get(name);
    return row?.["value"] as string | undefined;
  }

  setMeta(name: string, value: string): void {
    this.statement("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)").run(name, value);
  }

  leases(): StoredLease[] {
    const rows = this.sqlite.prepare("SELECT id, ttl_seconds FROM lease").all() as {
      id: string;
      ttl_seconds: number;
    }[];
    return rows.map((row) => ({ id: BigInt(row.id), ttlSeconds: row.ttl_seconds }));
  }

  /** The newest version of every live key, in key order. */
  *liveEntries(): Generator<IndexEntry> {
    const statement = this.sqlite.prepare(
      "SELECT key, max(id) AS id, mod, created, version, lease FROM event GROUP BY key ORDER BY key",
    );
    for (const row of statement.iterate() as Iterable<Omit<EventRow, "value">>) {
      if (row.version === 0) continue;
      yield {
        key: Buffer.from(row.key).toString("latin1"),
        id: row.id,
        createRevision: row.created,
        modRevision: row.mod,
        version: row.version,
        lease: row.lease === null ? 0n : BigInt(row.lease),
      };
    }
  }

  /** The newest row: the id that ids continue from, and the highest revision that is still written down. */
  last(): { id: number; mod: number } {
    const row = this.sqlite.prepare("SELECT id, mod FROM event ORDER BY id DESC LIMIT 1").get();
    return row === undefined ? { id: 0, mod: 0 } : { id: row["id"] as number, mod: row["mod"] as number };
  }

  close(): void {
    this.sqlite.close();
  }
}

function open(dataDir: string | undefined, identityIfNew: StoreIdentity): DatabaseSync {
  if (dataDir !== undefined) makeFile(dataDir);
  const sqlite = new DatabaseSync(dataDir === undefined ? ":memory:" : join(dataDir, DATABASE_FILE));
  try {
    // The exclusive lock is what keeps a second process out; it goes with the process, however that ends.
    sqlite.exec("PRAGMA locking_mode = EXCLUSIVE");
    const version = (sqlite.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
    const owner = (sqlite.prepare("PRAGMA application_id").get() as { application_id: number }).application_id;
    const tables = (sqlite.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number }).n;
    if (tables > 0 && owner !== APPLICATION_ID) throw new DataDirError(`${dataDir}: ${DATABASE_FILE} is not a store`);
    if (version > FORMAT_VERSION) {
      throw new DataDirError(
        `${dataDir} was written by a newer Keelson (format ${version}; this one reads up to ${FORMAT_VERSION})`,
      );
    }
    sqlite.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    sqlite.exec("PRAGMA journal_mode = WAL");
    sqlite.exec("PRAGMA synchronous = FULL");
    sqlite.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    sqlite.exec("PRAGMA cache_size = -16384");
    // Takes the write lock now, so that a second process is refused at the door and not at its first write.
    sqlite.exec("BEGIN IMMEDIATE");
    if (tables === 0) create(sqlite, identityIfNew);
    sqlite.exec("COMMIT");
    if (dataDir !== undefined) removeLeftovers(dataDir);
    return sqlite;
  } catch (error) {
    sqlite.close();
    if (/database is locked/.test(String(error))) {
      throw new DataDirError(`${dataDir} is in use by another process`, { cause: error });
    }
    throw error;
  }
}

/** For the owner only; SQLite gives its log the mode of the file. */
function makeFile(dataDir: string): void {
  makeFolder(dataDir, 0o700);
  const path = join(dataDir, DATABASE_FILE);
  // Never opened when it exists: closing it again would drop the lock of a store open in this process.
  if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
}

/** Copies that a crash has cut off. Only who holds the lock may take them away. */
function removeLeftovers(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    if (/^snapshot-.*\.tmp/.test(name)) rmSync(join(dataDir, name), { force: true });
  }
}

function create(sqlite: DatabaseSync, identity: StoreIdentity): void {
  sqlite.exec(SCHEMA);
  const insert = sqlite.prepare("INSERT INTO meta (name, value) VALUES (?, ?)");
  insert.run("epoch", identity.epoch);
  insert.run("clusterId", String(identity.clusterId));
  insert.run("memberId", String(identity.memberId));
  insert.run("compactRevision", "0");
  insert.run("compactedRevision", "0");
  stampFormat(sqlite);
}

/** Says in the file whose it is and how it is to be read. */
export function stampFormat(sqlite: DatabaseSync): void {
  sqlite.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  sqlite.exec(`PRAGMA user_version = ${FORMAT_VERSION}`);
}
