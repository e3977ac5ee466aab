import { StoreError } from "../../../lib/store/store.ts";
import { compacted, futureRevision, leaseExists, leaseNotFound, noSpace } from "../store-errors.ts";
import { keyBytes } from "./bytes.ts";
import { Compactor } from "./compactor.ts";
import { Database } from "./database.ts";
import { Failpoint } from "./failpoint.ts";
import { history } from "./history.ts";
import type {
  EngineCall,
  EngineOpening,
  EngineOptions,
  EngineOutput,
  EngineReply,
  EngineState,
  Transaction,
} from "./protocol.ts";
import { range } from "./ranges.ts";
import { Room } from "./room.ts";
import { SnapshotWriter } from "./snapshot-writer.ts";
import { State } from "./state.ts";
import { TransactionRun } from "./transactions.ts";

/** Verbs that may write: the first of a batch opens its SQLite transaction. */
const WRITING = new Set<EngineCall["verb"]>(["txn", "compact", "leaseGrant", "leaseRevoke"]);

/**
 * The one ordered writer. Calls come in batches; a batch is one SQLite transaction with one fsync (group commit), and
 * nothing of it, answers to reads included, leaves before the commit. Everything here is synchronous.
 *
 * A commit error whose outcome is unknown is thrown: the owner must end the process (invariant 8). A full disk is not
 * such an error: SQLite has rolled back, so the batch is run again with puts refused.
 */
export class Engine {
  readonly #db: Database;
  readonly #state: State;
  readonly #room: Room;
  readonly #compactor: Compactor;
  readonly failpoint: Failpoint;
  readonly opening: EngineOpening;
  #keepPrevious = false;

  constructor(options: EngineOptions) {
    this.#db = new Database(options.dataDir, options.identityIfNew);
    this.#state = new State(this.#db);
    this.failpoint = new Failpoint(options.failpoint);
    this.#room = new Room(this.#db, options);
    this.#compactor = new Compactor(this.#state, this.failpoint);
    this.opening = {
      identity: {
        epoch: this.#db.meta("epoch")!,
        clusterId: BigInt(this.#db.meta("clusterId")!),
        memberId: BigInt(this.#db.meta("memberId")!),
      },
      state: this.#standing(),
      leases: this.#db.leases(),
    };
  }

  /** Rows that compaction has still to remove: `compactStep` should be called again. */
  get compacting(): boolean {
    return this.#compactor.pending;
  }

  /** Removes a bounded number of rows that compaction has given up; false when the disk is too full even for that. */
  compactStep(): boolean {
    let room = true;
    try {
      this.#compactor.step();
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#rollback();
      room = this.#room.makeRoom();
    }
    this.#room.measure();
    return room;
  }

  /** Runs a batch in order and commits it once. */
  process(calls: readonly EngineCall[]): EngineOutput {
    for (;;) {
      try {
        return this.#attempt(calls);
      } catch (error) {
        if (!isFull(error)) throw error;
        this.#rollback();
        if (!this.#room.makeRoom()) return this.#refuseWrites(calls);
      }
    }
  }

  /** Writes the file anew without its free pages; needs as much room again, and changes nothing when there is none. */
  defragment(): void {
    this.failpoint.reach("before-defragment");
    try {
      this.#db.sqlite.exec("VACUUM");
    } catch (error) {
      throw isFull(error) ? noSpace() : error;
    }
    this.failpoint.reach("after-defragment");
    this.#db.sqlite.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#room.measure();
  }

  /** A copy to be written step by step. */
  startSnapshot(path: string): SnapshotWriter {
    return new SnapshotWriter(this.#state, path);
  }

  standing(): EngineState {
    return this.#standing();
  }

  close(): void {
    this.#db.close();
  }

  #attempt(calls: readonly EngineCall[]): EngineOutput {
    const replies: EngineReply[] = [];
    const transactions: Transaction[] = [];
    let open = false;
    for (const call of calls) {
      if (!open && WRITING.has(call.verb)) {
        this.#db.sqlite.exec("BEGIN IMMEDIATE");
        open = true;
      }
      replies.push(this.#reply(call, transactions));
    }
    if (open) {
      this.failpoint.reach("before-commit");
      this.failpoint.reach("commit-error");
      this.#db.sqlite.exec("COMMIT");
      this.failpoint.reach("after-commit");
      this.#state.keep();
      this.#room.measure();
    }
    return { replies, transactions, state: this.#standing() };
  }

  #reply(call: EngineCall, transactions: Transaction[]): EngineReply {
    try {
      return { seq: call.seq, answer: this.#answer(call, transactions) };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { seq: call.seq, error: { code: error.code, message: error.message } };
    }
  }

  #answer(call: EngineCall, transactions: Transaction[]): unknown {
    const state = this.#state;
    switch (call.verb) {
      case "txn": {
        const run = this.#newRun();
        const result = run.run(call.request);
        if (run.events.length > 0) transactions.push({ revision: state.revision, events: run.events });
        return result;
      }
      case "range":
        return range(state, call.request, state.revision);
      case "history":
        return history(state, call.request);
      case "compact":
        return this.#compact(call.request.revision);
      case "leaseGrant":
        if (this.#room.full) throw noSpace();
        if (state.leases.has(call.request.id)) throw leaseExists();
        return state.grantLease(call.request.id, call.request.ttlSeconds);
      case "leaseRevoke": {
        if (!state.leases.has(call.request.id)) throw leaseNotFound();
        const run = this.#newRun();
        run.deleteKeys(state.keysOfLease(call.request.id));
        state.forgetLease(call.request.id);
        if (run.events.length > 0) transactions.push({ revision: state.revision, events: run.events });
        return undefined;
      }
      case "leaseKeys":
        return state.keysOfLease(call.request.id).map(keyBytes);
      case "keepPrevious":
        this.#keepPrevious = true;
        return undefined;
      case "setAlarm":
        return this.#room.setAlarm(call.request.raised);
      default:
        throw new StoreError("UNIMPLEMENTED", `the engine does not answer ${call.verb} within a batch`);
    }
  }

  #newRun(): TransactionRun {
    return new TransactionRun(this.#state, { full: this.#room.full, keepPrevious: this.#keepPrevious });
  }

  #compact(revision: number): undefined {
    if (revision <= this.#state.compactRevision) throw compacted();
    if (revision > this.#state.revision) throw futureRevision();
    this.#state.setCompactRevision(revision);
  }

  #rollback(): void {
    if (this.#db.sqlite.isTransaction) this.#db.sqlite.exec("ROLLBACK");
    this.#state.takeBack();
  }

  /** Not even a delete can be written down: only reads are answered. */
  #refuseWrites(calls: readonly EngineCall[]): EngineOutput {
    const replies = calls.map((call): EngineReply => {
      if (!WRITING.has(call.verb)) return this.#reply(call, []);
      const error = noSpace();
      return { seq: call.seq, error: { code: error.code, message: error.message } };
    });
    return { replies, transactions: [], state: this.#standing() };
  }

  #standing(): EngineState {
    return {
      revision: this.#state.revision,
      compactRevision: this.#state.compactRevision,
      dbSizeBytes: this.#room.sizeBytes,
      dbSizeInUseBytes: this.#room.usedBytes,
      alarm: this.#room.alarm,
    };
  }
}

/** SQLITE_FULL: rolled back, nothing written, as opposed to an I/O error, after which nobody knows. */
function isFull(error: unknown): boolean {
  return error instanceof Error && (error as { errcode?: number }).errcode === 13;
}
