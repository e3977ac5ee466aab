import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { QueueMetrics } from "../controller/work-queue.ts";
import type { Clock } from "../core/clock.ts";

/** As upstream's: powers of ten from 10 ns to 1000 s, of which those under a microsecond say nothing here. */
const BUCKETS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000];

/** The metrics of work queues, under upstream's names. Source: kubernetes/component-base:metrics/prometheus/workqueue. */
export function queueMetrics(registry: Registry, clock: Clock): QueueMetrics {
  const shared = { labelNames: ["name"] as const, registers: [registry] };
  const depth = new Gauge({ name: "workqueue_depth", help: "Keys that wait.", ...shared });
  const adds = new Counter({ name: "workqueue_adds_total", help: "Keys that entered.", ...shared });
  const retries = new Counter({ name: "workqueue_retries_total", help: "Keys that failed and come again.", ...shared });
  const waited = new Histogram({
    name: "workqueue_queue_duration_seconds",
    help: "How long a key waited.",
    buckets: BUCKETS,
    ...shared,
  });
  const worked = new Histogram({
    name: "workqueue_work_duration_seconds",
    help: "How long work on a key took.",
    buckets: BUCKETS,
    ...shared,
  });
  const running = new RunningWork(clock);
  new Gauge({
    name: "workqueue_unfinished_work_seconds",
    help: "How long all work that is not finished has taken so far.",
    ...shared,
    collect() {
      running.report((name, agesMs) => this.set({ name }, agesMs.reduce((sum, age) => sum + age, 0) / 1000));
    },
  });
  new Gauge({
    name: "workqueue_longest_running_processor_seconds",
    help: "How long the longest work that is not finished has taken so far.",
    ...shared,
    collect() {
      running.report((name, agesMs) => this.set({ name }, Math.max(0, ...agesMs) / 1000));
    },
  });
  return {
    added(name, waiting) {
      adds.inc({ name });
      depth.set({ name }, waiting);
    },
    taken(name, waiting, waitedMs) {
      depth.set({ name }, waiting);
      waited.observe({ name }, waitedMs / 1000);
      running.began(name);
    },
    finished(name, workedMs) {
      worked.observe({ name }, workedMs / 1000);
      running.ended(name, workedMs);
    },
    retried: (name) => retries.inc({ name }),
  };
}

/** When each piece of work that runs began, by queue. */
class RunningWork {
  readonly #clock: Clock;
  readonly #startsMs = new Map<string, number[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  began(queue: string): void {
    const starts = this.#startsMs.get(queue) ?? [];
    this.#startsMs.set(queue, starts);
    starts.push(this.#clock.monotonicMs());
  }

  /** Queues tell how long it took, not what it was: the start that is nearest to then is its own. */
  ended(queue: string, workedMs: number): void {
    const starts = this.#startsMs.get(queue) ?? [];
    const startMs = this.#clock.monotonicMs() - workedMs;
    let nearest = 0;
    for (const [index, each] of starts.entries()) {
      if (Math.abs(each - startMs) < Math.abs((starts[nearest] ?? 0) - startMs)) nearest = index;
    }
    starts.splice(nearest, 1);
  }

  report(tell: (queue: string, agesMs: readonly number[]) => void): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [queue, starts] of this.#startsMs)
      tell(
        queue,
        starts.map((startMs) => nowMs - startMs),
      );
  }
}
