import type { Clock, Timer } from "./clock.ts";

interface PendingTimer extends Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that moves only when told to, for tests and simulation. Timers fire in order of their due time, those of the
 * same moment in the order they were set; between two of them every promise that can go on does, so that what a callback
 * starts is seen at the time it was started.
 */
export class VirtualClock implements Clock {
  private elapsedMs = 0;
  private wallOffsetMs: number;
  private order = 0;
  private readonly timers = new Set<PendingTimer>();

  /** `startMs`: the wall time at the beginning; 2026-01-01T00:00:00Z unless told. */
  constructor(startMs = 1_767_225_600_000) {
    this.wallOffsetMs = startMs;
  }

  nowMs(): number {
    return this.wallOffsetMs + this.elapsedMs;
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer: PendingTimer = {
      dueMs: this.elapsedMs + Math.max(0, delayMs),
      order: this.order++,
      callback,
      cancel: () => {
        this.timers.delete(timer);
      },
    };
    this.timers.add(timer);
    return timer;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Timers that have not fired: a leak check after stopping expects 0. */
  get pendingTimers(): number {
    return this.timers.size;
  }

  /** Moves the wall time alone, as an operator or NTP does; timers do not notice. */
  stepWall(deltaMs: number): void {
    this.wallOffsetMs += deltaMs;
  }

  /** Moves time forward, firing what falls due on the way, also what that sets in turn. */
  async advance(deltaMs: number): Promise<void> {
    const targetMs = this.elapsedMs + deltaMs;
    await settle();
    for (let next = this.next(); next !== undefined && next.dueMs <= targetMs; next = this.next()) {
      this.timers.delete(next);
      this.elapsedMs = Math.max(this.elapsedMs, next.dueMs);
      next.callback();
      await settle();
    }
    this.elapsedMs = targetMs;
  }

  /**
   * Moves from timer to timer until `condition` holds, at most `limitMs`; answers whether it held. Conditions are asked
   * after every timer.
   */
  async advanceUntil(condition: () => boolean, limitMs = 600_000): Promise<boolean> {
    const endMs = this.elapsedMs + limitMs;
    await settle();
    while (!condition()) {
      const next = this.next();
      if (next === undefined || next.dueMs > endMs) {
        await this.advance(endMs - this.elapsedMs);
        return condition();
      }
      await this.advance(next.dueMs - this.elapsedMs);
    }
    return true;
  }

  private next(): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.timers) {
      if (
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order)
      )
        first = timer;
    }
    return first;
  }
}

/** Lets every promise that is ready go on: the microtask queue is empty when the macrotask comes. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
