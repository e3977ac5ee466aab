import type { ApiClient } from "../../lib/client/api-client.ts";
import { EventRecorder } from "../../lib/controller/event-recorder.ts";
import { FencedApi } from "../../lib/controller/fenced-api.ts";
import { LeaderElector } from "../../lib/controller/leader-elector.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { Decision } from "./decision.ts";
import { noSchedulerMetrics, type SchedulerMetrics } from "./scheduler-metrics.ts";
import { SchedulingLoop } from "./scheduling-loop.ts";

export interface SchedulerComponents {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: SchedulerMetrics;
}

export interface SchedulerOptions {
  /** Unique per process start: the holder of the Lease `kube-system/kube-scheduler`. */
  readonly identity: string;
  /** False runs without a Lease: only where nothing else can schedule. */
  readonly leaderElect?: boolean;
  /** Pods with this `spec.schedulerName` are ours; `default-scheduler` unless told. */
  readonly schedulerName?: string;
  /** Told when leadership was lost, so that a process of this role alone can exit. */
  readonly onLost?: () => void;
}

/** Binds pods to nodes while it leads. */
export class Scheduler implements Startable {
  private readonly components: SchedulerComponents;
  private readonly schedulerName: string;
  private readonly recorder: EventRecorder;
  private readonly elector: LeaderElector | undefined;
  private loop: SchedulingLoop | undefined;

  constructor(components: SchedulerComponents, options: SchedulerOptions) {
    this.components = components;
    this.schedulerName = options.schedulerName ?? "default-scheduler";
    this.recorder = new EventRecorder(components, { component: this.schedulerName });
    if (options.leaderElect === false) return;
    const lease = { namespace: "kube-system", name: "kube-scheduler", identity: options.identity };
    this.elector = new LeaderElector(
      components,
      { ...lease, ...(options.onLost === undefined ? {} : { onLost: options.onLost }) },
      async (fence, signal) => {
        const loop = this.makeLoop(new FencedApi(components.api, fence));
        await loop.start();
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        await loop.stop();
      },
    );
  }

  /** Whether this one binds pods now. */
  get leading(): boolean {
    return this.elector?.leading ?? this.loop !== undefined;
  }

  async start(): Promise<void> {
    await this.recorder.start();
    if (this.elector !== undefined) await this.elector.start();
    else await this.makeLoop(this.components.api).start();
  }

  async stop(): Promise<void> {
    if (this.elector !== undefined) await this.elector.stop();
    else await this.loop?.stop();
    this.loop = undefined;
    await this.recorder.stop();
  }

  /** Why the pod is where it is: every failed condition on every node. `podKey` is `namespace/name`. */
  explain(podKey: string): Decision {
    return this.loop?.explain(podKey) ?? { pod: podKey, state: "unknown", nodes: [] };
  }

  private makeLoop(api: ApiClient): SchedulingLoop {
    const { clock, random, log, metrics = noSchedulerMetrics } = this.components;
    this.loop = new SchedulingLoop(
      { api, clock, random, log, metrics, recorder: this.recorder },
      { schedulerName: this.schedulerName },
    );
    return this.loop;
  }
}
