import { StoreError } from "../../../lib/store/store.ts";
import { CorruptError } from "./database.ts";
import type { Engine } from "./engine.ts";
import type { EngineCall, EngineFailure, EngineOutput } from "./protocol.ts";
import type { SnapshotWriter } from "./snapshot-writer.ts";

export interface EngineLoopEvents {
  output(output: EngineOutput): void;
  /** A commit whose outcome nobody knows: no further call is taken. */
  fatal(failure: EngineFailure): void;
  closed(): void;
}

/** Feeds the engine: batches of calls, compaction steps between them, and the calls that take longer than a batch. */
export class EngineLoop {
  readonly #engine: Engine;
  readonly #events: EngineLoopEvents;
  #waitingForCompaction: number[] = [];
  /** Without room for a step of compaction the next batch of calls, which may bring some, is waited for. */
  #roomToCompact = true;
  readonly #copying: { readonly seq: number; readonly writer: SnapshotWriter }[] = [];
  #stepPlanned = false;
  #ended = false;

  constructor(engine: Engine, events: EngineLoopEvents) {
    this.#engine = engine;
    this.#events = events;
  }

  /** Goes on with a compaction that a crash has cut short. */
  start(): void {
    this.#planStep();
  }

  take(calls: readonly EngineCall[]): void {
    if (this.#ended) return;
    const batch: EngineCall[] = [];
    const after: EngineCall[] = [];
    for (const call of calls) {
      const slow = call.verb === "snapshot" || call.verb === "defragment" || call.verb === "close";
      (slow ? after : batch).push(call);
    }
    this.#guard(() => {
      if (batch.length > 0) this.#publish(batch);
      for (const call of after) this.#runSlow(call);
    });
    this.#roomToCompact = true;
    this.#planStep();
  }

  #publish(batch: readonly EngineCall[]): void {
    const output = this.#engine.process(batch);
    if (output.transactions.length > 0) this.#engine.failpoint.reach("before-publish");
    const physical = new Set<number>();
    for (const call of batch) if (call.verb === "compact" && call.request.physical) physical.add(call.seq);
    if (physical.size === 0 || !this.#engine.compacting) {
      this.#events.output(output);
      return;
    }
    // The answer to a physical compaction waits until the rows are gone.
    const held = output.replies.filter((reply) => physical.has(reply.seq) && "answer" in reply);
    this.#waitingForCompaction.push(...held.map((reply) => reply.seq));
    this.#events.output({ ...output, replies: output.replies.filter((reply) => !held.includes(reply)) });
  }

  #runSlow(call: EngineCall): void {
    if (call.verb === "close") {
      this.#ended = true;
      for (const { writer } of this.#copying) writer.abandon();
      this.#engine.close();
      this.#answer([call.seq], undefined);
      this.#events.closed();
    } else if (call.verb === "defragment") {
      this.#defragment(call.seq);
    } else if (call.verb === "snapshot") {
      this.#startSnapshot(call.seq, call.request.path);
    }
  }

  #startSnapshot(seq: number, path: string): void {
    try {
      this.#copying.push({ seq, writer: this.#engine.startSnapshot(path) });
    } catch (error) {
      this.#fail(seq, error);
    }
  }

  #copyStep(): void {
    const first = this.#copying[0]!;
    this.#engine.failpoint.reach("during-snapshot");
    try {
      if (!first.writer.step()) return;
      this.#copying.shift();
      this.#answer([first.seq], { revision: this.#engine.standing().revision });
    } catch (error) {
      // A copy may fail for itself (no room), but not because what is copied is damaged.
      if (error instanceof CorruptError || isSqliteCorrupt(error)) throw error;
      this.#copying.shift();
      first.writer.abandon();
      this.#fail(first.seq, error);
    }
  }

  #defragment(seq: number): void {
    try {
      this.#engine.defragment();
      this.#answer([seq], undefined);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#fail(seq, error);
    }
  }

  /** Work between batches of calls: a step of a copy or, when nothing is copied, of compaction. */
  #planStep(): void {
    const work = this.#copying.length > 0 || (this.#engine.compacting && this.#roomToCompact);
    if (this.#stepPlanned || this.#ended || !work) return;
    this.#stepPlanned = true;
    setImmediate(() => {
      this.#stepPlanned = false;
      if (this.#ended) return;
      this.#guard(() => {
        if (this.#copying.length > 0) this.#copyStep();
        else this.#compactStep();
      });
      this.#planStep();
    });
  }

  #compactStep(): void {
    this.#roomToCompact = this.#engine.compactStep();
    if (this.#engine.compacting) return;
    this.#answer(this.#waitingForCompaction, undefined);
    this.#waitingForCompaction = [];
  }

  #answer(seqs: readonly number[], answer: unknown): void {
    const replies = seqs.map((seq) => ({ seq, answer }));
    this.#events.output({ replies, transactions: [], state: this.#engine.standing() });
  }

  #fail(seq: number, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof StoreError ? error.code : "UNKNOWN";
    const replies = [{ seq, error: { code, message } }];
    this.#events.output({ replies, transactions: [], state: this.#engine.standing() });
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#ended = true;
      this.#events.fatal({
        message: error instanceof Error ? error.message : String(error),
        corrupt: error instanceof CorruptError || isSqliteCorrupt(error),
      });
    }
  }
}

/** SQLITE_CORRUPT, in any of its extended forms. */
function isSqliteCorrupt(error: unknown): boolean {
  const code = error instanceof Error ? (error as { errcode?: number }).errcode : undefined;
  return code !== undefined && (code & 0xff) === 11;
}
