import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { SchedulerMetrics } from "./scheduler-metrics.ts";

/** As upstream's: 1 ms, doubled fifteen times. */
const BUCKETS = Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index);

/** What the scheduler tells of itself, under upstream's names. Source: kubernetes/kubernetes:pkg/scheduler/metrics. */
export function prometheusMetrics(registry: Registry, profile: string): SchedulerMetrics {
  const registers = [registry];
  const attempts = new Counter({
    name: "scheduler_schedule_attempts_total",
    help: "Attempts to schedule a pod, by result.",
    labelNames: ["profile", "result"],
    registers,
  });
  const durations = new Histogram({
    name: "scheduler_scheduling_attempt_duration_seconds",
    help: "How long an attempt took, with its binding.",
    labelNames: ["profile", "result"],
    buckets: BUCKETS,
    registers,
  });
  const pending = new Gauge({
    name: "scheduler_pending_pods",
    help: "Pods that wait, by queue.",
    labelNames: ["queue"],
    registers,
  });
  return {
    attempted(result, durationMs) {
      attempts.inc({ profile, result });
      durations.observe({ profile, result }, durationMs / 1000);
    },
    pending({ active, backoff, unschedulable }) {
      pending.set({ queue: "active" }, active);
      pending.set({ queue: "backoff" }, backoff);
      pending.set({ queue: "unschedulable" }, unschedulable);
    },
  };
}
