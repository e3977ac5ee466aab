import type { ApiClient } from "../../lib/client/api-client.ts";
import { keyOf } from "../../lib/client/api-object.ts";
import type { Changes } from "../../lib/client/changes.ts";
import type { EventRecorder } from "../../lib/controller/event-recorder.ts";
import { Informer } from "../../lib/controller/informer.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { Namespace, Node, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { PodDisruptionBudget } from "../../lib/gen/k8s/policy/v1.ts";
import { namespaces, nodes, podDisruptionBudgets, pods } from "../../lib/gen/k8s/resources.ts";
import { Binder } from "./binder.ts";
import { ClusterWatch } from "./cluster-watch.ts";
import { type Decision, failureMessage } from "./decision.ts";
import { FailureReporter } from "./failure-reporter.ts";
import { NodeTable } from "./nodes/node-table.ts";
import { podInfoOf } from "./nodes/pod-info.ts";
import { type Failures, Placer } from "./placement.ts";
import { FILTERS } from "./plugins/filters.ts";
import { SCORES } from "./plugins/scores.ts";
import { Evictor } from "./preemption/evictor.ts";
import { Preemptor } from "./preemption/preemptor.ts";
import { type QueuedPod, SchedulingQueue } from "./queue/scheduling-queue.ts";
import type { SchedulerMetrics } from "./scheduler-metrics.ts";

export interface LoopComponents {
  readonly api: ApiClient;
  /** How informers hear of changes; default: by watch. */
  readonly changes?: Changes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: SchedulerMetrics;
  readonly recorder: EventRecorder;
}

/** Others get their turn after this long, whatever waits. */
const SLICE_MS = 5;
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
  private readonly budgets: Informer<PodDisruptionBudget>;
  private readonly preemptor: Preemptor;
  private readonly evictor: Evictor;
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
    this.budgets = new Informer(components, podDisruptionBudgets);
    this.preemptor = new Preemptor({ table: this.table, placer: this.placer, random: components.random });
    this.evictor = new Evictor(components, options);
    this.binder = new Binder({ ...components, signal: this.stopper.signal });
    this.reporter = new FailureReporter(components);
    const watch = new ClusterWatch({ table: this.table, queue: this.queue, schedulerName: options.schedulerName });
    this.namespaces.addHandler(watch.namespaces);
    this.nodes.addHandler(watch.nodes);
    this.pods.addHandler(watch.pods);
  }

  private get informers() {
    return [this.budgets, this.namespaces, this.nodes, this.pods];
  }

  async start(): Promise<void> {
    this.running ??= this.run();
  }

  /** Resolves when no write of this term is under way. */
  async stop(): Promise<void> {
    this.stopper.abort(new Error("the scheduler was stopped"));
    this.queue.close();
    await Promise.all(this.informers.map((informer) => informer.stop()));
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
    await Promise.all(this.informers.map((informer) => informer.start()));
    try {
      await Promise.all(this.informers.map((informer) => informer.whenSynced()));
    } catch {
      return;
    }
    const { clock, metrics } = this.components;
    let sliceBeganMs = clock.monotonicMs();
    for (let pod = await this.queue.take(); pod !== undefined; pod = await this.queue.take()) {
      this.attempt(pod);
      metrics.pending(this.queue.counts());
      if (this.inFlight.size >= IN_FLIGHT_MAX) await Promise.race(this.inFlight);
      if (clock.monotonicMs() - sliceBeganMs < SLICE_MS) continue;
      // A stop does not wait for it.
      await clock.sleep(0, this.stopper.signal).catch(() => {});
      sliceBeganMs = clock.monotonicMs();
    }
  }

  /** Chooses without waiting, so that table and choice cannot drift apart. */
  private attempt(queued: QueuedPod): void {
    const { clock, metrics } = this.components;
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
      this.noNodeFits(queued, placement.failures);
      return;
    }
    this.table.nominate(info, undefined);
    this.table.assume(info, placement.node);
    this.track(this.bind(queued, placement.node, durationMs));
  }

  private noNodeFits(queued: QueuedPod, failures: Failures): void {
    const { info } = queued;
    const plan = failures.nodeCount === 0 ? undefined : this.preemptor.plan(info, this.budgets.store.list());
    this.queue.failed(queued, failures.filters);
    const suffix = plan !== undefined && plan.node === undefined ? ` ${plan.message}` : "";
    const message = `${failureMessage(failures)}${suffix}`;
    this.components.log.debug("no node fits", { pod: info.key, message });
    if (plan?.node !== undefined) {
      this.table.nominate(info, plan.node);
      this.track(this.evictor.evict(plan.victims, info, plan.node));
    } else if (plan?.isWaiting !== true) this.table.nominate(info, undefined);
    const nominated = this.table.nominationOf(info.uid);
    this.track(this.reporter.unschedulable(info.pod, message, queued.byTime, nominated));
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
