import { rmSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { INSERT_EVENT, PAGE_BYTES, SCHEMA, type StoredRow, stampFormat } from "./database.ts";
import type { State } from "./state.ts";

/** Bounds of one step: the writer waits meanwhile. */
const STEP_ROWS = 200;
const STEP_BYTES = 1024 * 1024;

const META_NAMES = ["epoch", "clusterId", "memberId", "compactRevision", "compactedRevision"];

/**
 * Copies the store into a new file, some rows at a time while it is written to. Rows are copied in the order of their
 * ids up to the last one there is, so in the end the copy is the store at its last revision. No row may be removed
 * meanwhile: compaction waits. (SQLite's own backup is refused with SQLITE_LOCKED whenever a step of it meets a
 * transaction of ours.)
 */
export class SnapshotWriter {
  readonly #state: State;
  readonly #path: string;
  readonly #copy: DatabaseSync;
  readonly #insert: StatementSync;
  #lastId = 0;

  constructor(state: State, path: string) {
    this.#state = state;
    this.#path = path;
    this.#copy = new DatabaseSync(path);
    this.#copy.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    // A copy that is cut off is thrown away: no need to make it safe.
    this.#copy.exec("PRAGMA journal_mode = OFF");
    this.#copy.exec("PRAGMA synchronous = OFF");
    this.#copy.exec("BEGIN");
    this.#copy.exec(SCHEMA);
    this.#insert = this.#copy.prepare(INSERT_EVENT);
  }

  /** Copies some rows; true when the copy is complete and closed. */
  step(): boolean {
    const rows = this.#state.db.statement("SELECT * FROM event WHERE id > ? ORDER BY id");
    let rowCount = 0;
    let sizeBytes = 0;
    for (const row of rows.iterate(this.#lastId) as unknown as Iterable<StoredRow>) {
      const { id, mod, created, version, lease, sum, key, value } = row;
      this.#state.db.checked(row);
      this.#insert.run(id, mod, created, version, lease, sum, key, value);
      this.#lastId = id;
      rowCount++;
      sizeBytes += key.length + (value?.length ?? 0);
      if (rowCount >= STEP_ROWS || sizeBytes >= STEP_BYTES) return false;
    }
    this.#finish();
    return true;
  }

  /** Throws away what there is of the copy. */
  abandon(): void {
    if (this.#copy.isOpen) this.#copy.close();
    rmSync(this.#path, { force: true });
  }

  #finish(): void {
    const lease = this.#copy.prepare("INSERT INTO lease (id, ttl_seconds) VALUES (?, ?)");
    for (const { id, ttlSeconds } of this.#state.db.leases()) lease.run(String(id), ttlSeconds);
    const meta = this.#copy.prepare("INSERT INTO meta (name, value) VALUES (?, ?)");
    for (const name of META_NAMES) meta.run(name, this.#state.db.meta(name)!);
    stampFormat(this.#copy);
    this.#copy.exec("COMMIT");
    this.#copy.close();
  }
}
