import type { Clock, Timer } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import { BackOff, type BackOffOptions } from "./back-off.ts";

/** What a queue tells about itself; the names of upstream's metrics are given in brackets. */
export interface QueueMetrics {
  /** A key entered (`workqueue_adds_total`); `depth` is how many wait now (`workqueue_depth`). */
  added(queue: string, depth: number): void;
  /** A key was taken after waiting (`workqueue_queue_duration_seconds`). */
  taken(queue: string, depth: number, waitedMs: number): void;
  /** Work on a key ended (`workqueue_work_duration_seconds`). */
  finished(queue: string, workedMs: number): void;
  /** A key failed and comes back later (`workqueue_retries_total`). */
  retried(queue: string): void;
}

export const noQueueMetrics: QueueMetrics = { added() {}, taken() {}, finished() {}, retried() {} };

export interface WorkQueueOptions {
  readonly name: string;
  readonly backOff?: BackOffOptions;
  readonly metrics?: QueueMetrics;
}

/** 5 ms to 1000 s as upstream's controllers back off. */
const BACK_OFF: BackOffOptions = { baseMs: 5, maxMs: 1_000_000, jitter: 0.2 };

/**
 * Keys to work on. A key waits at most once, is worked on by at most one worker at a time, and a key added meanwhile
 * comes again afterwards, so that no change is lost and none is worked on twice at once. Memory is bounded by the
 * number of different keys.
 */
export class WorkQueue {
  readonly name: string;
  private readonly clock: Clock;
  private readonly backOff: BackOff;
  private readonly metrics: QueueMetrics;
  /** Waiting keys in order, with the monotonic time they entered. */
  private readonly waiting = new Map<string, number>();
  private readonly working = new Map<string, number>();
  private readonly again = new Set<string>();
  private readonly delayed = new Map<string, { readonly dueMs: number; readonly timer: Timer }>();
  private readonly takers: ((key: string | undefined) => void)[] = [];
  private closed = false;

  constructor(components: { clock: Clock; random: Random }, options: WorkQueueOptions) {
    this.clock = components.clock;
    this.name = options.name;
    this.metrics = options.metrics ?? noQueueMetrics;
    this.backOff = new BackOff(components.random, options.backOff ?? BACK_OFF);
  }

  get depth(): number {
    return this.waiting.size;
  }

  /** True when nothing waits, is worked on or is due later. */
  get idle(): boolean {
    return this.waiting.size + this.working.size + this.delayed.size === 0;
  }

  add(key: string): void {
    if (this.closed || this.waiting.has(key) || this.again.has(key)) return;
    if (this.working.has(key)) {
      this.again.add(key);
      return;
    }
    const taker = this.takers.shift();
    this.metrics.added(this.name, this.waiting.size);
    if (taker === undefined) {
      this.waiting.set(key, this.clock.monotonicMs());
      return;
    }
    this.begin(key, 0);
    taker(key);
  }

  /** Adds the key after `delayMs`; the earlier of two delays of a key counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.clock.monotonicMs() + delayMs;
    const earlier = this.delayed.get(key);
    if (earlier !== undefined && earlier.dueMs <= dueMs) return;
    earlier?.timer.cancel();
    const timer = this.clock.after(delayMs, () => {
      this.delayed.delete(key);
      this.add(key);
    });
    this.delayed.set(key, { dueMs, timer });
  }

  /** Adds the key after its back-off: work on it failed. */
  retry(key: string): void {
    this.metrics.retried(this.name);
    this.addAfter(key, this.backOff.nextMs(key));
  }

  /** Work on the key succeeded: its next failure starts from the shortest delay. */
  forget(key: string): void {
    this.backOff.forget(key);
  }

  failuresOf(key: string): number {
    return this.backOff.failuresOf(key);
  }

  /** The next key; undefined when the queue is closed. `done` must follow. */
  take(): Promise<string | undefined> {
    if (this.closed) return Promise.resolve(undefined);
    const next = this.waiting.entries().next();
    if (next.done) return new Promise((resolve) => this.takers.push(resolve));
    const [key, sinceMs] = next.value;
    this.waiting.delete(key);
    this.begin(key, this.clock.monotonicMs() - sinceMs);
    return Promise.resolve(key);
  }

  done(key: string): void {
    const beganMs = this.working.get(key);
    if (beganMs === undefined) return;
    this.working.delete(key);
    this.metrics.finished(this.name, this.clock.monotonicMs() - beganMs);
    if (this.again.delete(key)) this.add(key);
  }

  /** Wakes all takers with undefined and forgets all keys and timers. */
  close(): void {
    this.closed = true;
    for (const { timer } of this.delayed.values()) timer.cancel();
    this.delayed.clear();
    this.waiting.clear();
    this.again.clear();
    for (const taker of this.takers.splice(0)) taker(undefined);
  }

  private begin(key: string, waitedMs: number): void {
    this.working.set(key, this.clock.monotonicMs());
    this.metrics.taken(this.name, this.waiting.size, waitedMs);
  }
}
