import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Startable } from "../../../lib/core/startable.ts";
import { type Store, StoreError } from "../../../lib/store/store.ts";

export interface StoreCompactorOptions {
  /** History is kept for one to two intervals. Default 5 minutes, as upstream's. */
  readonly intervalMs?: number;
}

const INTERVAL_MS = 300_000;
/** Upstream's key: its version counts the turns, its value is the revision of the last turn. */
const KEY = Buffer.from("compact_rev_key");

/**
 * Compacts a store that does not do so itself. All who share the store write one key at each turn, comparing its version
 * with the one that they saw a turn ago; one of them wins and compacts to where the store stood at its turn before, so that
 * the history is cut once per interval, whoever and however many they are (upstream's api-servers take part).
 */
export class StoreCompactor implements Startable {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #intervalMs: number;
  readonly #stopping = new AbortController();
  #turnsSeen = 0;
  #revisionSeen = 0;
  #running: Promise<void> | undefined;

  constructor(components: { store: Store; clock: Clock; log: Log }, options: StoreCompactorOptions = {}) {
    this.#store = components.store;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
  }

  async start(): Promise<void> {
    this.#running = this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(this.#intervalMs, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#turn();
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn("the store could not be compacted; tried again at the next turn", { reason: String(error) });
      }
    }
  }

  async #turn(): Promise<void> {
    const compactTo = this.#revisionSeen;
    const { succeeded, revision, responses } = await this.#store.txn({
      compare: [{ key: KEY, target: "version", result: "equal", value: this.#turnsSeen }],
      success: [{ type: "put", key: KEY, value: Buffer.from(String(compactTo)) }],
      failure: [{ type: "range", key: KEY }],
    });
    this.#revisionSeen = revision;
    if (!succeeded) {
      const found = responses[0]?.type === "range" ? responses[0].kvs[0] : undefined;
      this.#turnsSeen = found?.version ?? 0;
      return;
    }
    this.#turnsSeen++;
    // Whoever has just started has seen no earlier turn.
    if (compactTo === 0) return;
    try {
      await this.#store.compact(compactTo);
      this.#log.debug("compacted the store", { revision: compactTo });
    } catch (error) {
      const isDone = error instanceof StoreError && error.code === "OUT_OF_RANGE";
      if (!isDone) throw error;
    }
  }
}
