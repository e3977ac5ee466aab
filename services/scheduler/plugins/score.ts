import type { NodeEntry, NodeTable } from "../nodes/node-table.ts";
import type { PodInfo } from "../nodes/pod-info.ts";

/** Writes one number per node, in the order of the nodes. */
export type NodeScores = (nodes: readonly NodeEntry[], into: Float64Array) => void;

/** How well nodes suit a pod that they can take. After normalizing, 0 to 100. */
export interface Score {
  /** Upstream's name of the plugin where there is one. */
  readonly name: string;
  readonly weight: number;
  /**
   * "none": already 0 to 100; else scaled over the nodes in question: the largest number best or worst, zero the other
   * end; "range": the largest best and the smallest the other end, for numbers of both signs.
   */
  readonly normalize: "none" | "most-best" | "fewest-best" | "range";
  /** Undefined when all nodes are equal for this pod. */
  prepare(pod: PodInfo, table: NodeTable): NodeScores | undefined;
}

export const SCORE_MAX = 100;
