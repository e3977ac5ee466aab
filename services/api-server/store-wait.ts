import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { Store } from "../../lib/store/store.ts";

const RETRY_MS = 500;

/** Starts when the store answers: a store that comes later than its clients is no reason to die. */
export class StoreWait implements Startable {
  readonly #components: { store: Store; clock: Clock; log: Log };
  readonly #stopper = new AbortController();
  #isOver = false;

  constructor(components: { store: Store; clock: Clock; log: Log }) {
    this.#components = components;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  async start(): Promise<void> {
    const { store, clock, log } = this.#components;
    const { signal } = this.#stopper;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await store.status();
        this.#isOver = true;
        return;
      } catch (error) {
        if (attempt === 1) log.warn("waiting for the store", { error: String(error) });
      }
      await clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }

  async stop(): Promise<void> {
    this.#stopper.abort();
  }
}
