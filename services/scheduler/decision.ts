import type { Failures } from "./placement.ts";

/** One node's part in a decision. */
export interface NodeDecision {
  readonly node: string;
  /** Every condition that the node does not meet; empty when the pod fits. */
  readonly failures: readonly { readonly filter: string; readonly reason: string }[];
  /** How well it suits, when it fits; comparable within one decision only. */
  readonly score?: number;
}

/** Where a pod stands with the scheduler, and why. */
export interface Decision {
  readonly pod: string;
  readonly state: "unknown" | "not-ours" | "gated" | "scheduled" | "active" | "backing-off" | "unschedulable";
  /** The node, when the pod has one or is being bound to it. */
  readonly node?: string;
  /** As the FailedScheduling event words it, when no node fits. */
  readonly message?: string;
  readonly nodes: readonly NodeDecision[];
}

/** The sentence that `kubectl describe` shows; the form is upstream's, since people and tools match on it. */
export function failureMessage(failures: Failures): string {
  if (failures.nodeCount === 0) return "no nodes available to schedule pods";
  const counted = [...failures.reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${failures.nodeCount} nodes are available: ${counted.join(", ")}.`;
}
