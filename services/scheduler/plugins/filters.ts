import type { Filter } from "./filter.ts";
import { interPodAffinityFilter } from "./inter-pod-affinity.ts";
import { nodeAffinityFilter } from "./node-affinity.ts";
import { nodeNameFilter } from "./node-name.ts";
import { nodePortsFilter } from "./node-ports.ts";
import { nodeResourcesFit } from "./node-resources-fit.ts";
import { nodeUnschedulableFilter } from "./node-unschedulable.ts";
import { taintTolerationFilter } from "./taint-toleration.ts";
import { topologySpreadFilter } from "./topology-spread.ts";

/**
 * Every condition that a node must meet, in the order asked. The first that refuses a node is the one that
 * `FailedScheduling` counts it under, as upstream does; `explain` asks all of them.
 */
export const FILTERS: readonly Filter[] = [
  // spec.unschedulable (kubectl cordon), unless tolerated
  nodeUnschedulableFilter,
  // spec.nodeName set by hand
  nodeNameFilter,
  // taints NoSchedule and NoExecute
  taintTolerationFilter,
  // spec.nodeSelector and required node affinity
  nodeAffinityFilter,
  // host ports in use
  nodePortsFilter,
  // cpu, memory, ephemeral-storage, pods, extended resources
  nodeResourcesFit,
  // topologySpreadConstraints with DoNotSchedule
  topologySpreadFilter,
  // required affinity and anti-affinity between pods
  interPodAffinityFilter,
];
