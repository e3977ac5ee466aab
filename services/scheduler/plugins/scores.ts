import { interPodAffinityScore } from "./inter-pod-affinity.ts";
import { nodeAffinityScore } from "./node-affinity.ts";
import { balancedAllocationScore, leastAllocatedScore } from "./node-resources-score.ts";
import { ownerSpreadScore } from "./owner-spread.ts";
import type { Score } from "./score.ts";
import { taintTolerationScore } from "./taint-toleration.ts";
import { topologySpreadScore } from "./topology-spread.ts";

/** Every preference among nodes that can take the pod; the weights are upstream's. The order does not matter. */
export const SCORES: readonly Score[] = [
  // taints PreferNoSchedule
  taintTolerationScore,
  // preferred node affinity
  nodeAffinityScore,
  // topologySpreadConstraints with ScheduleAnyway
  topologySpreadScore,
  // preferred affinity and anti-affinity between pods
  interPodAffinityScore,
  // pods of one owner apart: by node and by zone
  ownerSpreadScore,
  // the emptiest node
  leastAllocatedScore,
  // cpu and memory used to the same degree
  balancedAllocationScore,
];
