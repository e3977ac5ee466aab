import type { Node } from "../../../lib/gen/k8s/core/v1.ts";
import type { PodInfo } from "./pod-info.ts";
import { amountsOf } from "./pod-requests.ts";
import { ResourceColumns } from "./resource-columns.ts";

const ZONE = "topology.kubernetes.io/zone";

/** One node as placement sees it. `row` is its place in the columns and stays while the entry lives. */
export interface NodeEntry {
  readonly name: string;
  readonly row: number;
  /** Absent while only pods name this node. */
  node: Node | undefined;
  /** A small number per zone; -1 while the node does not exist. */
  zone: number;
  /** Has taints PreferNoSchedule. */
  isAvoided: boolean;
  readonly pods: Map<string, PodInfo>;
}

export interface PlacedPod {
  readonly info: PodInfo;
  readonly entry: NodeEntry;
}

/**
 * What is free where: amounts in typed arrays by row, with pods counted from the moment they are assumed to run on a node,
 * before the API knows. A pod is counted once, whatever order its events come in.
 */
export class NodeTable {
  readonly columns = new ResourceColumns();
  /** Grows with every change of a node's own properties: results that depend on those alone are good until then. */
  nodesGeneration = 0;
  private readonly namespaces = new Map<string, Readonly<Record<string, string>>>();
  /** Pods that wait for others to leave a node, by uid. */
  private readonly nominations = new Map<string, { readonly info: PodInfo; readonly nodeName: string }>();
  /** Placed pods per priority. */
  private readonly priorities = new Map<number, number>();
  private readonly withTerms = new Set<string>();
  private readonly entries = new Map<string, NodeEntry>();
  private readonly placed = new Map<string, PlacedPod & { readonly assumed: boolean }>();
  private readonly owners = new Map<string, Map<NodeEntry, number>>();
  private readonly zones = new Map<string, number>();
  private avoidedCount = 0;
  private readonly freeRows: number[] = [];
  private rows = 0;
  private live: NodeEntry[] | undefined;

  /** Nodes that exist, in the order they came. */
  nodes(): readonly NodeEntry[] {
    this.live ??= [...this.entries.values()].filter((entry) => entry.node !== undefined);
    return this.live;
  }

  get(name: string): NodeEntry | undefined {
    return this.entries.get(name);
  }

  placements(): Iterable<PlacedPod> {
    return this.placed.values();
  }

  /** Only pods that say something about other pods. */
  *placementsWithTerms(): Iterable<PlacedPod> {
    for (const uid of this.withTerms) {
      const placement = this.placed.get(uid);
      if (placement !== undefined) yield placement;
    }
  }

  readonly namespaceLabels = (name: string): Readonly<Record<string, string>> | undefined => this.namespaces.get(name);

  setNamespace(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    if (labels === undefined) this.namespaces.delete(name);
    else this.namespaces.set(name, labels);
  }

  /** How many pods of this owner are where; nodes without any are left out. */
  podsOfOwner(ownerUid: string): ReadonlyMap<NodeEntry, number> | undefined {
    return this.owners.get(ownerUid);
  }

  get zoneCount(): number {
    return this.zones.size;
  }

  /** Whether any node has a taint PreferNoSchedule. */
  get hasAvoided(): boolean {
    return this.avoidedCount > 0;
  }

  /** Rows in use are below this number. */
  get rowCount(): number {
    return this.rows;
  }

  setNode(node: Node): void {
    const entry = this.entryOf(node.metadata?.name ?? "");
    const before = entry.node;
    entry.node = node;
    entry.zone = this.zoneOf(node.metadata?.labels?.[ZONE] ?? "");
    this.setAvoided(entry, node.spec?.taints?.some((taint) => taint.effect === "PreferNoSchedule") ?? false);
    this.columns.setAllocatable(entry.row, amountsOf(node.status?.allocatable));
    if (before === undefined || placementText(before) !== placementText(node)) this.nodesChanged();
  }

  removeNode(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    entry.node = undefined;
    this.setAvoided(entry, false);
    this.columns.setAllocatable(entry.row, new Map());
    this.dropIfEmpty(entry);
    this.nodesChanged();
  }

  /** Counts the pod on the node before the API has bound it. */
  assume(info: PodInfo, nodeName: string): void {
    this.place(info, nodeName, true);
  }

  /** Takes an assumption back; what the API has confirmed stays. */
  forget(uid: string): void {
    if (this.placed.get(uid)?.assumed === true) this.removePod(uid);
  }

  isPlaced(uid: string): boolean {
    return this.placed.has(uid);
  }

  /** The node on which the pod is counted. */
  placementOf(uid: string): string | undefined {
    return this.placed.get(uid)?.entry.name;
  }

  /** Counts the pod as the API shows it, in place of an assumption. */
  addPod(info: PodInfo, nodeName: string): void {
    this.place(info, nodeName, false);
  }

  removePod(uid: string): void {
    const placement = this.placed.get(uid);
    if (placement === undefined) return;
    const { info, entry } = placement;
    this.placed.delete(uid);
    this.withTerms.delete(uid);
    this.countPriority(info.priority, -1);
    entry.pods.delete(uid);
    this.countForOwner(info, entry, -1);
    this.columns.add(entry.row, info, -1);
    this.dropIfEmpty(entry);
  }

  private place(info: PodInfo, nodeName: string, assumed: boolean): void {
    this.removePod(info.uid);
    const entry = this.entryOf(nodeName);
    this.placed.set(info.uid, { info, entry, assumed });
    if (info.terms !== undefined) this.withTerms.add(info.uid);
    this.countPriority(info.priority, 1);
    entry.pods.set(info.uid, info);
    this.countForOwner(info, entry, 1);
    this.columns.add(entry.row, info, 1);
  }

  /** The pod has been promised this node, once others have left it; undefined takes the promise back. */
  nominate(info: PodInfo, nodeName: string | undefined): void {
    if (nodeName === undefined) this.nominations.delete(info.uid);
    else this.nominations.set(info.uid, { info, nodeName });
  }

  nominationOf(uid: string): string | undefined {
    return this.nominations.get(uid)?.nodeName;
  }

  /** Asks with everybody in place who was promised a node and is not less important than `pod`. */
  withNominated<T>(pod: PodInfo, ask: () => T): T {
    const others = [...this.nominations.values()].filter(
      ({ info }) => info.uid !== pod.uid && info.priority >= pod.priority && !this.placed.has(info.uid),
    );
    for (const { info, nodeName } of others) this.place(info, nodeName, true);
    try {
      return ask();
    } finally {
      for (const { info } of others) this.removePod(info.uid);
    }
  }

  /**
   * Runs `work` as if these pods were not there. `putBack` puts one back if `mayStay` answers yes with it in place. All are
   * back afterwards.
   */
  without(pods: readonly PodInfo[], work: (putBack: (pod: PodInfo, mayStay: () => boolean) => boolean) => void): void {
    const before = pods.flatMap((pod) => this.placed.get(pod.uid) ?? []);
    for (const pod of pods) this.removePod(pod.uid);
    try {
      work((pod, mayStay) => {
        const placement = before.find(({ info }) => info.uid === pod.uid);
        if (placement === undefined) return true;
        this.place(placement.info, placement.entry.name, placement.assumed);
        if (mayStay()) return true;
        this.removePod(pod.uid);
        return false;
      });
    } finally {
      for (const { info, entry, assumed } of before) {
        if (!this.placed.has(info.uid)) this.place(info, entry.name, assumed);
      }
    }
  }

  /** Whether any placed pod is less important. */
  hasLesser(priority: number): boolean {
    for (const other of this.priorities.keys()) if (other < priority) return true;
    return false;
  }

  private countPriority(priority: number, change: 1 | -1): void {
    const count = (this.priorities.get(priority) ?? 0) + change;
    if (count > 0) this.priorities.set(priority, count);
    else this.priorities.delete(priority);
  }

  private countForOwner({ ownerUid }: PodInfo, entry: NodeEntry, change: 1 | -1): void {
    if (ownerUid === "") return;
    const counts = this.owners.get(ownerUid) ?? new Map<NodeEntry, number>();
    const count = (counts.get(entry) ?? 0) + change;
    if (count > 0) counts.set(entry, count);
    else counts.delete(entry);
    if (counts.size > 0) this.owners.set(ownerUid, counts);
    else this.owners.delete(ownerUid);
  }

  private setAvoided(entry: NodeEntry, isAvoided: boolean): void {
    if (entry.isAvoided !== isAvoided) this.avoidedCount += isAvoided ? 1 : -1;
    entry.isAvoided = isAvoided;
  }

  private zoneOf(name: string): number {
    const zone = this.zones.get(name) ?? this.zones.size;
    this.zones.set(name, zone);
    return zone;
  }

  private entryOf(name: string): NodeEntry {
    const found = this.entries.get(name);
    if (found !== undefined) return found;
    const row = this.freeRows.pop() ?? this.rows++;
    this.columns.reserve(row);
    const entry: NodeEntry = {
      name,
      row,
      node: undefined,
      zone: -1,
      isAvoided: false,
      pods: new Map(),
    };
    this.entries.set(name, entry);
    return entry;
  }

  private dropIfEmpty(entry: NodeEntry): void {
    if (entry.node !== undefined || entry.pods.size > 0) return;
    this.entries.delete(entry.name);
    this.columns.clear(entry.row);
    this.freeRows.push(entry.row);
  }

  private nodesChanged(): void {
    this.nodesGeneration++;
    this.live = undefined;
  }
}

/** What filters and scores that depend on the node alone may read. */
function placementText(node: Node): string {
  return JSON.stringify([node.metadata?.labels, node.spec?.taints, node.spec?.unschedulable]);
}
