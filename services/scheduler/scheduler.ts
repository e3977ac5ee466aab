import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Changes } from "../../lib/client/changes.ts";
import { EventRecorder } from "../../lib/controller/event-recorder.ts";
import { LeaderRole, type LeadershipOptions } from "../../lib/controller/leader-role.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { StartableList } from "../../lib/core/startable-list.ts";
import type { Decision } from "./decision.ts";
import { noSchedulerMetrics, type SchedulerMetrics } from "./scheduler-metrics.ts";
import { SchedulingLoop } from "./scheduling-loop.ts";

export interface SchedulerComponents {
  readonly api: ApiClient;
  /** How informers hear of changes; default: by watch. */
  readonly changes?: Changes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: SchedulerMetrics;
}

export interface SchedulerOptions extends LeadershipOptions {
  /** Pods with this `spec.schedulerName` are ours; `default-scheduler` unless told. */
  readonly schedulerName?: string;
}

/** Binds pods to nodes while it holds the Lease `kube-system/kube-scheduler`. */
export class Scheduler implements Startable {
  private readonly role: LeaderRole;
  private loop: SchedulingLoop | undefined;

  constructor(components: SchedulerComponents, options: SchedulerOptions) {
    const { metrics = noSchedulerMetrics } = components;
    const schedulerName = options.schedulerName ?? "default-scheduler";
    this.role = new LeaderRole(components, { ...options, leaseName: "kube-scheduler" }, (api) => {
      const recorder = new EventRecorder({ ...components, api }, { component: schedulerName });
      this.loop = new SchedulingLoop({ ...components, api, metrics, recorder }, { schedulerName });
      return new StartableList([recorder, this.loop]);
    });
  }

  /** Whether this one binds pods now. */
  get leading(): boolean {
    return this.role.leading;
  }

  async start(): Promise<void> {
    await this.role.start();
  }

  async stop(): Promise<void> {
    await this.role.stop();
  }

  /** Why the pod is where it is: every failed condition on every node. `podKey` is `namespace/name`. */
  explain(podKey: string): Decision {
    const loop = this.leading ? this.loop : undefined;
    return loop?.explain(podKey) ?? { pod: podKey, state: "unknown", nodes: [] };
  }
}
