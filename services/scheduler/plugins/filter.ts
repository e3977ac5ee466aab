import type { NodeEntry, NodeTable } from "../nodes/node-table.ts";
import type { PodInfo } from "../nodes/pod-info.ts";

/** What happened in the cluster, as far as a pod that fits nowhere may fit now. */
export type ClusterEvent =
  | "node-added"
  | "node-allocatable"
  | "node-labels"
  | "node-taints"
  | "node-schedulable"
  | "pod-freed"
  | "pod-placed"
  | "pod-labels"
  | "namespace-labels";

/** Reasons why a pod may not run on a node; none when it may. Each reason reads well after a count of nodes. */
export type NodeCheck = (node: NodeEntry) => readonly string[];

/** A condition that a node must meet. */
export interface Filter {
  /** Upstream's name of the plugin. */
  readonly name: string;
  /** Events after which a node refused by this filter may be accepted: a missing one leaves pods pending (invariant 42). */
  readonly wokenBy: readonly ClusterEvent[];
  /** "node": the answer depends on the pod's signature and the node's own properties alone; "usage": on its pods too. */
  readonly dependsOn: "node" | "usage";
  /** For "usage": whether the node could not take the pod though no other pod were there. */
  isHopeless?(pod: PodInfo, node: NodeEntry, table: NodeTable): boolean;
  /** Undefined when every node passes for this pod. */
  prepare(pod: PodInfo, table: NodeTable): NodeCheck | undefined;
}

export const PASSES: readonly string[] = [];
