import type { InformerHandler } from "../../lib/controller/informer.ts";
import type { Namespace, Node, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { NodeTable } from "./nodes/node-table.ts";
import { podInfoOf } from "./nodes/pod-info.ts";
import type { ClusterEvent } from "./plugins/filter.ts";
import type { SchedulingQueue } from "./queue/scheduling-queue.ts";

/** Carries what happens in the cluster into the table and the queue. */
export class ClusterWatch {
  readonly nodes: InformerHandler<Node>;
  readonly pods: InformerHandler<Pod>;
  readonly namespaces: InformerHandler<Namespace>;
  private readonly table: NodeTable;
  private readonly queue: SchedulingQueue;
  private readonly schedulerName: string;

  constructor(components: { table: NodeTable; queue: SchedulingQueue; schedulerName: string }) {
    this.table = components.table;
    this.queue = components.queue;
    this.schedulerName = components.schedulerName;
    this.nodes = {
      added: (node) => this.nodeAdded(node),
      updated: (node, old) => this.nodeUpdated(node, old),
      deleted: (node) => this.table.removeNode(node.metadata?.name ?? ""),
    };
    this.namespaces = {
      added: (namespace) => this.namespaceSeen(namespace),
      updated: (namespace) => this.namespaceSeen(namespace),
      deleted: (namespace) => this.table.setNamespace(namespace.metadata?.name ?? "", undefined),
    };
    this.pods = {
      added: (pod) => this.podSeen(pod, undefined),
      updated: (pod, old) => this.podSeen(pod, old),
      deleted: (pod) => this.podGone(pod),
    };
  }

  private namespaceSeen(namespace: Namespace): void {
    const name = namespace.metadata?.name ?? "";
    const labels = namespace.metadata?.labels ?? {};
    if (sameText(this.table.namespaceLabels(name), labels)) return;
    this.table.setNamespace(name, labels);
    this.queue.wake("namespace-labels");
  }

  private nodeAdded(node: Node): void {
    this.table.setNode(node);
    this.queue.wake("node-added");
  }

  private nodeUpdated(node: Node, old: Node): void {
    this.table.setNode(node);
    for (const event of nodeEvents(node, old)) this.queue.wake(event);
  }

  private podSeen(pod: Pod, old: Pod | undefined): void {
    const uid = pod.metadata?.uid ?? "";
    const nodeName = pod.spec?.nodeName;
    const key = podInfoOf(pod).key;
    if (isTerminal(pod)) {
      this.podGone(pod);
      return;
    }
    if (nodeName !== undefined) {
      this.queue.remove(key);
      this.placedPodSeen(pod, old, nodeName);
      return;
    }
    if (!this.isOurs(pod)) {
      this.queue.remove(key);
      this.dropNomination(pod);
      return;
    }
    const unchanged = old !== undefined && sameText(old.spec, pod.spec) && sameText(labelsOf(old), labelsOf(pod));
    if (unchanged || this.table.isPlaced(uid)) return;
    const info = podInfoOf(pod);
    if (old === undefined) this.table.nominate(info, pod.status?.nominatedNodeName);
    this.queue.put(info);
  }

  private placedPodSeen(pod: Pod, old: Pod | undefined, nodeName: string): void {
    const wasPlaced = old?.spec?.nodeName === nodeName;
    const sameSpec = wasPlaced && sameText(old.spec, pod.spec);
    const sameLabels = wasPlaced && sameText(labelsOf(old), labelsOf(pod));
    const isDying = pod.metadata?.deletionTimestamp !== undefined;
    if (sameSpec && sameLabels && !isDying) return;
    const info = podInfoOf(pod);
    this.table.nominate(info, undefined);
    this.table.addPod(info, nodeName);
    if (!wasPlaced) this.queue.wake("pod-placed");
    if (wasPlaced && !sameSpec) this.queue.wake("pod-freed");
    if (wasPlaced && (!sameLabels || isDying)) this.queue.wake("pod-labels");
  }

  private podGone(pod: Pod): void {
    const uid = pod.metadata?.uid ?? "";
    const { namespace, name } = pod.metadata ?? {};
    this.queue.remove(`${namespace}/${name}`);
    this.dropNomination(pod);
    if (!this.table.isPlaced(uid)) return;
    this.table.removePod(uid);
    this.queue.wake("pod-freed");
  }

  private dropNomination(pod: Pod): void {
    if (this.table.nominationOf(pod.metadata?.uid ?? "") === undefined) return;
    this.table.nominate(podInfoOf(pod), undefined);
    this.queue.wake("pod-freed");
  }

  /** To be placed by us, now. */
  private isOurs(pod: Pod): boolean {
    return (
      (pod.spec?.schedulerName ?? "default-scheduler") === this.schedulerName &&
      pod.metadata?.deletionTimestamp === undefined &&
      (pod.spec?.schedulingGates?.length ?? 0) === 0
    );
  }
}

function nodeEvents(node: Node, old: Node): ClusterEvent[] {
  const events: ClusterEvent[] = [];
  if (!sameText(node.status?.allocatable, old.status?.allocatable)) events.push("node-allocatable");
  if (!sameText(node.metadata?.labels, old.metadata?.labels)) events.push("node-labels");
  if (!sameText(node.spec?.taints, old.spec?.taints)) events.push("node-taints");
  if (node.spec?.unschedulable !== old.spec?.unschedulable) events.push("node-schedulable");
  return events;
}

function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

function labelsOf(pod: Pod): unknown {
  return pod.metadata?.labels;
}

function sameText(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
