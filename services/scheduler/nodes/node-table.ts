import type { Node } from "../../../lib/gen/k8s/core/v1.ts";
import type { PodInfo } from "./pod-info.ts";
import { amountsOf } from "./pod-requests.ts";
import { ResourceColumns } from "./resource-columns.ts";

/** One node as placement sees it. `row` is its place in the columns and stays while the entry lives. */
export interface NodeEntry {
  readonly name: string;
  readonly row: number;
  /** Absent while only pods name this node. */
  node: Node | undefined;
  readonly pods: Map<string, PodInfo>;
  readonly podsByOwner: Map<string, number>;
}

/**
 * What is free where: amounts in typed arrays by row, with pods counted from the moment they are assumed to run on a node,
 * before the API knows. A pod is counted once, whatever order its events come in.
 */
export class NodeTable {
  readonly columns = new ResourceColumns();
  /** Grows with every change of a node's own properties: results that depend on those alone are good until then. */
  nodesGeneration = 0;
  private readonly entries = new Map<string, NodeEntry>();
  private readonly placed = new Map<string, { readonly info: PodInfo; readonly entry: NodeEntry; assumed: boolean }>();
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

  /** Rows in use are below this number. */
  get rowCount(): number {
    return this.rows;
  }

  setNode(node: Node): void {
    const entry = this.entryOf(node.metadata?.name ?? "");
    const before = entry.node;
    entry.node = node;
    this.columns.setAllocatable(entry.row, amountsOf(node.status?.allocatable));
    if (before === undefined || placementText(before) !== placementText(node)) this.nodesChanged();
  }

  removeNode(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    entry.node = undefined;
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
    entry.pods.delete(uid);
    const alike = (entry.podsByOwner.get(info.ownerUid) ?? 1) - 1;
    if (alike > 0) entry.podsByOwner.set(info.ownerUid, alike);
    else entry.podsByOwner.delete(info.ownerUid);
    this.columns.add(entry.row, info, -1);
    this.dropIfEmpty(entry);
  }

  private place(info: PodInfo, nodeName: string, assumed: boolean): void {
    this.removePod(info.uid);
    const entry = this.entryOf(nodeName);
    this.placed.set(info.uid, { info, entry, assumed });
    entry.pods.set(info.uid, info);
    if (info.ownerUid !== "") entry.podsByOwner.set(info.ownerUid, (entry.podsByOwner.get(info.ownerUid) ?? 0) + 1);
    this.columns.add(entry.row, info, 1);
  }

  private entryOf(name: string): NodeEntry {
    const found = this.entries.get(name);
    if (found !== undefined) return found;
    const row = this.freeRows.pop() ?? this.rows++;
    this.columns.reserve(row);
    const entry: NodeEntry = { name, row, node: undefined, pods: new Map(), podsByOwner: new Map() };
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
