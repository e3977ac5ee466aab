import type { Failpoint } from "./failpoint.ts";
import { idAtRevision } from "./history.ts";
import type { State } from "./state.ts";

/** Newer rows looked at per step; the writer waits meanwhile. */
const BATCH_ROWS = 500;

/**
 * Removes what a compaction has given up, a batch at a time between other work. Of each key the newest version at or
 * below the compact revision stays, and a deletion at exactly that revision stays for watchers that start there.
 *
 * Only rows from the last finished compaction on can have made others superfluous, so a run looks at those. How far
 * it came is not written down: after a crash the same run starts over and finds less to do.
 */
export class Compactor {
  readonly #state: State;
  readonly #failpoint: Failpoint;
  #compactedRevision: number;
  #run: { readonly revision: number; nextId: number; readonly lastId: number } | undefined;

  constructor(state: State, failpoint: Failpoint) {
    this.#state = state;
    this.#failpoint = failpoint;
    this.#compactedRevision = Number(state.db.meta("compactedRevision"));
  }

  get pending(): boolean {
    return this.#compactedRevision < this.#state.compactRevision;
  }

  step(): void {
    if (!this.pending) return;
    const { db } = this.#state;
    this.#run ??= this.#newRun();
    const run = this.#run;
    const endId = Math.min(run.nextId + BATCH_ROWS, run.lastId + 1);
    const finished = endId > run.lastId;
    this.#failpoint.reach("before-compaction-batch");
    db.sqlite.exec("BEGIN IMMEDIATE");
    // `NOT INDEXED` where the window is by id: the planner would otherwise walk the key index.
    db.statement(
      `DELETE FROM event WHERE id IN (
           SELECT older.id FROM event AS newer NOT INDEXED
           CROSS JOIN event AS older INDEXED BY event_by_key ON older.key = newer.key AND older.id < newer.id
           WHERE newer.id >= ? AND newer.id < ?)`,
    ).run(run.nextId, endId);
    db.statement("DELETE FROM event WHERE id >= ? AND id < ? AND version = 0 AND mod < ?").run(
      run.nextId,
      endId,
      run.revision,
    );
    if (finished) db.setMeta("compactedRevision", String(run.revision));
    db.sqlite.exec("COMMIT");
    this.#failpoint.reach("after-compaction-batch");
    run.nextId = endId;
    if (finished) {
      this.#compactedRevision = run.revision;
      this.#run = undefined;
    }
  }

  #newRun(): { revision: number; nextId: number; lastId: number } {
    const revision = this.#state.compactRevision;
    // The deletions kept at the last compact revision itself are looked at again.
    const nextId = idAtRevision(this.#state, this.#compactedRevision - 1) + 1;
    return { revision, nextId, lastId: idAtRevision(this.#state, revision) };
  }
}
