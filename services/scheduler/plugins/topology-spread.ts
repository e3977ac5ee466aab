import type { NodeEntry, NodeTable } from "../nodes/node-table.ts";
import type { PodInfo } from "../nodes/pod-info.ts";
import type { SpreadTerm } from "../nodes/pod-terms.ts";
import { type Filter, PASSES } from "./filter.ts";
import { domainOf } from "./inter-pod-affinity.ts";
import { nodeAffinityFilter } from "./node-affinity.ts";
import type { Score } from "./score.ts";
import { taintTolerationFilter } from "./taint-toleration.ts";

const SKEWED = ["node(s) didn't match pod topology spread constraints"];
const NO_LABEL = ["node(s) didn't match pod topology spread constraints (missing required label)"];

/** `topologySpreadConstraints` with DoNotSchedule (KEP-895): the difference to the emptiest domain stays within maxSkew. */
export const topologySpreadFilter: Filter = {
  name: "PodTopologySpread",
  wokenBy: ["node-added", "node-labels", "node-taints", "pod-freed", "pod-placed", "pod-labels"],
  dependsOn: "usage",
  prepare(pod, table) {
    const required = (pod.terms?.spread ?? []).filter((term) => term.isRequired);
    if (required.length === 0) return undefined;
    const keys = required.map((term) => term.topologyKey);
    const counted = required.map((term) => {
      const counts = countDomains(pod, term, table, keys);
      const fewest = counts.size < term.minDomains ? 0 : Math.min(...counts.values());
      const self = term.selector.matches(pod.pod.metadata?.labels) ? 1 : 0;
      return { term, counts, most: term.maxSkew + fewest - self };
    });
    return (entry) => {
      for (const { term, counts, most } of counted) {
        const domain = domainOf(entry, term.topologyKey);
        if (domain === undefined) return NO_LABEL;
        if ((counts.get(domain) ?? 0) > most) return SKEWED;
      }
      return PASSES;
    };
  },
};

/** Constraints with ScheduleAnyway: domains with fewer matching pods are better. */
export const topologySpreadScore: Score = {
  name: "PodTopologySpread",
  weight: 2,
  normalize: "fewest-best",
  prepare(pod, table) {
    const preferred = (pod.terms?.spread ?? []).filter((term) => !term.isRequired);
    if (preferred.length === 0) return undefined;
    const counted = preferred.map((term) => ({ term, counts: countDomains(pod, term, table, [term.topologyKey]) }));
    return (nodes, into) => {
      for (let index = 0; index < nodes.length; index++) {
        let sum = 0;
        for (const { term, counts } of counted) sum += counts.get(domainOf(nodes[index]!, term.topologyKey) ?? "") ?? 0;
        into[index] = sum;
      }
    };
  },
};

/** Matching pods of the pod's namespace per domain; only nodes that have all the labels and that the policies count. */
function countDomains(
  pod: PodInfo,
  term: SpreadTerm,
  table: NodeTable,
  keys: readonly string[],
): ReadonlyMap<string, number> {
  const affine = term.honorsAffinity ? nodeAffinityFilter.prepare(pod, table) : undefined;
  const tolerated = term.honorsTaints ? taintTolerationFilter.prepare(pod, table) : undefined;
  const counts = new Map<string, number>();
  for (const entry of table.nodes()) {
    const domain = domainOf(entry, term.topologyKey);
    if (domain === undefined || keys.some((key) => domainOf(entry, key) === undefined)) continue;
    if ((affine?.(entry) ?? PASSES).length + (tolerated?.(entry) ?? PASSES).length > 0) continue;
    counts.set(domain, (counts.get(domain) ?? 0) + matchingOn(entry, pod, term));
  }
  return counts;
}

function matchingOn(entry: NodeEntry, pod: PodInfo, term: SpreadTerm): number {
  let count = 0;
  for (const { pod: other } of entry.pods.values()) {
    const { namespace, deletionTimestamp, labels } = other.metadata ?? {};
    const counts = namespace === pod.pod.metadata?.namespace && deletionTimestamp === undefined;
    if (counts && term.selector.matches(labels)) count++;
  }
  return count;
}
