import { backup } from "node:sqlite";
import { CorruptError } from "./database.ts";
import type { Engine } from "./engine.ts";
import type { EngineCall, EngineFailure, EngineOutput } from "./protocol.ts";

export interface EngineLoopEvents {
  output(output: EngineOutput): void;
  /** A commit whose outcome nobody knows: no further call is taken. */
  fatal(failure: EngineFailure): void;
  closed(): void;
}

/** Pages copied per step of a snapshot; commits go on between steps. */
const SNAPSHOT_STEP_PAGES = 256;

/** Feeds the engine: batches of calls, compaction steps between them, and the calls that take longer than a batch. */
export class EngineLoop {
  readonly #engine: Engine;
  readonly #events: EngineLoopEvents;
  #waitingForCompaction: number[] = [];
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
      this.#engine.close();
      this.#answer([call.seq], undefined);
      this.#events.closed();
    } else if (call.verb === "defragment") {
      this.#engine.defragment();
      this.#answer([call.seq], undefined);
    } else if (call.verb === "snapshot") {
      // What is committed while the copy is made may be in it as well.
      const { revision } = this.#engine.standing();
      backup(this.#engine.database.sqlite, call.request.path, {
        rate: SNAPSHOT_STEP_PAGES,
        progress: () => this.#engine.failpoint.reach("during-snapshot"),
      }).then(
        () => {
          this.#engine.failpoint.reach("during-snapshot");
          this.#answer([call.seq], { revision });
        },
        (error: unknown) => this.#fail(call.seq, error),
      );
    }
  }

  #planStep(): void {
    if (this.#stepPlanned || this.#ended || !this.#engine.compacting) return;
    this.#stepPlanned = true;
    setImmediate(() => {
      this.#stepPlanned = false;
      if (this.#ended) return;
      this.#guard(() => {
        this.#engine.compactStep();
        if (this.#engine.compacting) return;
        this.#answer(this.#waitingForCompaction, undefined);
        this.#waitingForCompaction = [];
      });
      this.#planStep();
    });
  }

  #answer(seqs: readonly number[], answer: unknown): void {
    const replies = seqs.map((seq) => ({ seq, answer }));
    this.#events.output({ replies, transactions: [], state: this.#engine.standing() });
  }

  #fail(seq: number, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const replies = [{ seq, error: { code: "UNKNOWN" as const, message } }];
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
