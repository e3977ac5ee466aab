import type { Clock } from "../lib/core/clock.ts";

/** Prints each step with the time it took, one line each. */
export class Progress {
  readonly #clock: Clock;
  readonly #out: (text: string) => void;
  readonly #startedMs: number;
  #lastMs: number;

  constructor(clock: Clock, out: (text: string) => void) {
    this.#clock = clock;
    this.#out = out;
    this.#startedMs = clock.monotonicMs();
    this.#lastMs = this.#startedMs;
  }

  /** The step called `what` is done; it began when the one before ended. */
  done(what: string): void {
    const nowMs = this.#clock.monotonicMs();
    this.#out(`  ${what.padEnd(44)} ${formatMs(nowMs - this.#lastMs).padStart(8)}\n`);
    this.#lastMs = nowMs;
  }

  get totalText(): string {
    return formatMs(this.#clock.monotonicMs() - this.#startedMs);
  }
}

function formatMs(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
