import type { Clock } from "../../lib/core/clock.ts";

interface Entry {
  delayMs: number;
  lastMs: number;
}

/**
 * Delays that double per key, and start anew when a key was quiet for twice the longest delay. The figures of a crash
 * loop: kubernetes/kubernetes:pkg/kubelet (10 s to 5 min).
 */
export class Backoff {
  readonly #clock: Clock;
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, options: { initialMs: number; maxMs: number }) {
    this.#clock = clock;
    this.#initialMs = options.initialMs;
    this.#maxMs = options.maxMs;
  }

  /** How long `key` has still to wait, counted from `sinceMs` (monotonic); 0 when it may go on. */
  leftMs(key: string, sinceMs: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || sinceMs - entry.lastMs > 2 * this.#maxMs) return 0;
    return Math.max(0, sinceMs + entry.delayMs - this.#clock.monotonicMs());
  }

  /** The delay of `key` as it stands. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** Another failure at `sinceMs` (monotonic): the next wait is longer. */
  failed(key: string, sinceMs: number): void {
    const entry = this.#entries.get(key);
    const fresh = entry === undefined || sinceMs - entry.lastMs > 2 * this.#maxMs;
    const delayMs = fresh ? this.#initialMs : Math.min(entry.delayMs * 2, this.#maxMs);
    this.#entries.set(key, { delayMs, lastMs: this.#clock.monotonicMs() });
  }

  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }
}
