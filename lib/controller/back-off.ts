import type { Random } from "../core/random.ts";

export interface BackOffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Share of the delay that is drawn at random, 0 to 1, so that many who failed together do not return together. */
  readonly jitter: number;
}

/** Delays that double with each failure in a row, per key. A key that succeeds is forgotten. */
export class BackOff {
  private readonly failures = new Map<string, number>();
  private readonly random: Random;
  private readonly options: BackOffOptions;

  constructor(random: Random, options: BackOffOptions) {
    this.random = random;
    this.options = options;
  }

  /** Counts one more failure and says how long to wait for the next try. */
  nextMs(key: string): number {
    const failures = this.failures.get(key) ?? 0;
    this.failures.set(key, failures + 1);
    const { baseMs, maxMs, jitter } = this.options;
    const delayMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 50));
    return delayMs * (1 - jitter * this.random.float());
  }

  failuresOf(key: string): number {
    return this.failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.failures.delete(key);
  }
}
