import type { ApiClient } from "../../lib/client/api-client.ts";
import { keyOf } from "../../lib/client/api-object.ts";
import type { EventRecorder } from "../../lib/controller/event-recorder.ts";
import { Informer } from "../../lib/controller/informer.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { Namespace, Node, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { namespaces, nodes, pods } from "../../lib/gen/k8s/resources.ts";
import { Binder } from "./binder.ts";
import { ClusterWatch } from "./cluster-watch.ts";
import { type Decision, failureMessage } from "./decision.ts";
import { FailureReporter } from "./failure-reporter.ts";
import { NodeTable } from "./nodes/node-table.ts";
import { podInfoOf } from "./nodes/pod-info.ts";
import { Placer } from "./placement.ts";
import { FILTERS } from "./plugins/filters.ts";
import { SCORES } from "./plugins/scores.ts";
import { type QueuedPod, SchedulingQueue } from "./queue/scheduling-queue.ts";
import type { SchedulerMetrics } from "./scheduler-metrics.ts";

export interface LoopComponents {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: SchedulerMetrics;
  readonly recorder: EventRecorder;
}

/** Writes that may be under way at once; the next pod waits for a place. */
const IN_FLIGHT_MAX = 64;

/**
 * One term of a leader: follows pods and nodes, takes pods one at a time in order of priority, chooses a node at once
 * against the table, and lets the binding go on beside the next choice.
 */
export class SchedulingLoop implements Startable {
  private readonly components: LoopComponents;
  private readonly schedulerName: string;
  private readonly pods: Informer<Pod>;
  private readonly nodes: Informer<Node>;
  private readonly namespaces: Informer<Namespace>;
  private readonly table = new NodeTable();
  private readonly queue: SchedulingQueue;
  private readonly placer: Placer;
  private readonly binder: Binder;
  private readonly reporter: FailureReporter;
  private readonly inFlight = new Set<Promise<void>>();
  private readonly stopper = new AbortController();
  private running: Promise<void> | undefined;

  constructor(components: LoopComponents, options: { schedulerName: string }) {
    this.components = components;
    this.schedulerName = options.schedulerName;
    this.pods = new Informer(components, pods);
    this.nodes = new Informer(components, nodes);
    this.namespaces = new Informer(components, namespaces);
    this.queue = new SchedulingQueue(components, { filters: FILTERS });
    this.placer = new Placer({ table: this.table, random: components.random }, { filters: FILTERS, scores: SCORES });
    this.binder = new Binder({ ...components, signal: this.stopper.signal });
    this.reporter = new FailureReporter(components);
    const watch = new ClusterWatch({ table: this.table, queue: this.queue, schedulerName: options.schedulerName });
    this.namespaces.addHandler(watch.namespaces);
    this.nodes.addHandler(watch.nodes);
    this.pods.addHandler(watch.pods);
  }

  async start(): Promise<void> {
    this.running ??= this.run();
  }

  /** Resolves when no write of this term is under way. */
  async stop(): Promise<void> {
    this.stopper.abort(new Error("the scheduler was stopped"));
    this.queue.close();
    await Promise.all([this.pods.stop(), this.nodes.stop(), this.namespaces.stop()]);
    await this.running;
    await Promise.all(this.inFlight);
  }

  explain(podKey: string): Decision {
    const pod = this.pods.store.get(podKey);
    if (pod === undefined) return { pod: podKey, state: "unknown", nodes: [] };
    const nodeName = pod.spec?.nodeName;
    if (nodeName !== undefined) return { pod: podKey, state: "scheduled", node: nodeName, nodes: [] };
    if ((pod.spec?.schedulerName ?? "default-scheduler") !== this.schedulerName)
      return { pod: podKey, state: "not-ours", nodes: [] };
    const info = podInfoOf(pod);
    const decisions = this.placer.explain(info);
    if ((pod.spec?.schedulingGates?.length ?? 0) > 0) return { pod: podKey, state: "gated", nodes: decisions };
    const assumed = this.table.placementOf(info.uid);
    if (assumed !== undefined) return { pod: podKey, state: "scheduled", node: assumed, nodes: decisions };
    const place = this.queue.placeOf(podKey);
    const state = place === undefined || place === "taken" ? "active" : place;
    const placement = this.placer.place(info);
    const message = placement.node === undefined ? { message: failureMessage(placement.failures) } : {};
    return { pod: podKey, state, ...message, nodes: decisions };
  }

  private async run(): Promise<void> {
    await Promise.all([this.namespaces.start(), this.nodes.start(), this.pods.start()]);
    try {
      await Promise.all([this.namespaces.whenSynced(), this.nodes.whenSynced(), this.pods.whenSynced()]);
    } catch {
      return;
    }
    for (let pod = await this.queue.take(); pod !== undefined; pod = await this.queue.take()) {
      this.attempt(pod);
      this.components.metrics.pending(this.queue.counts());
      if (this.inFlight.size >= IN_FLIGHT_MAX) await Promise.race(this.inFlight);
    }
  }

  /** Chooses without waiting, so that table and choice cannot drift apart. */
  private attempt(queued: QueuedPod): void {
    const { clock, metrics, log } = this.components;
    const { info } = queued;
    if (this.table.isPlaced(info.uid)) {
      this.queue.remove(info.key);
      return;
    }
    const beganMs = clock.monotonicMs();
    const placement = this.placer.place(info);
    const durationMs = clock.monotonicMs() - beganMs;
    if (placement.node === undefined) {
      metrics.attempted("unschedulable", durationMs);
      this.queue.failed(queued, placement.failures.filters);
      const message = failureMessage(placement.failures);
      log.debug("no node fits", { pod: info.key, message });
      this.track(this.reporter.unschedulable(info.pod, message, queued.byTime));
      return;
    }
    this.table.assume(info, placement.node);
    this.track(this.bind(queued, placement.node, durationMs));
  }

  private async bind(queued: QueuedPod, nodeName: string, durationMs: number): Promise<void> {
    const { metrics, recorder } = this.components;
    const { info } = queued;
    const outcome = await this.binder.bind(info.pod, nodeName);
    if (outcome.bound) {
      metrics.attempted("scheduled", durationMs);
      this.queue.remove(info.key);
      recorder.record(info.pod, "Normal", "Scheduled", `Successfully assigned ${keyOf(info.pod)} to ${nodeName}`);
      return;
    }
    this.table.forget(info.uid);
    this.queue.wake("pod-freed");
    metrics.attempted("error", durationMs);
    if (outcome.gone) {
      this.queue.remove(info.key);
      return;
    }
    this.queue.failed(queued, new Set());
    await this.reporter.failed(info.pod, outcome.message);
  }

  private track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.components.log.error("an attempt to schedule ended wrongly", { error: String(error) });
      })
      .finally(() => this.inFlight.delete(tracked));
    this.inFlight.add(tracked);
  }
}
