import type { NodeEntry, NodeTable } from "../nodes/node-table.ts";
import type { PodInfo } from "../nodes/pod-info.ts";

export type NodeScore = (node: NodeEntry) => number;

/** How well a node suits a pod that it can take. After normalizing, 0 to 100. */
export interface Score {
  /** Upstream's name of the plugin where there is one. */
  readonly name: string;
  readonly weight: number;
  /** "none": already 0 to 100; else scaled over the nodes in question, the largest number best or worst. */
  readonly normalize: "none" | "most-best" | "fewest-best";
  /** Undefined when all nodes are equal for this pod. */
  prepare(pod: PodInfo, table: NodeTable): NodeScore | undefined;
}

export const SCORE_MAX = 100;
