/** What the scheduler tells about itself; the names of upstream's metrics are given in brackets. */
export interface SchedulerMetrics {
  /** `scheduler_schedule_attempts_total{result}` and `scheduler_scheduling_attempt_duration_seconds`. */
  attempted(result: "scheduled" | "unschedulable" | "error", durationMs: number): void;
  /** `scheduler_pending_pods{queue}`. */
  pending(counts: { active: number; backoff: number; unschedulable: number }): void;
}

export const noSchedulerMetrics: SchedulerMetrics = { attempted() {}, pending() {} };
