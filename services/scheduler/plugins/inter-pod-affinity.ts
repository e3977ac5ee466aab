import type { NodeEntry, NodeTable } from "../nodes/node-table.ts";
import type { PodInfo } from "../nodes/pod-info.ts";
import { type PodTerm, termMatches } from "../nodes/pod-terms.ts";
import { type Filter, PASSES } from "./filter.ts";
import { labelOf } from "./node-selector-term.ts";
import type { Score } from "./score.ts";

const NO_AFFINITY = ["node(s) didn't match pod affinity rules"];
const ANTI_AFFINITY = ["node(s) didn't match pod anti-affinity rules"];
const OTHERS_ANTI_AFFINITY = ["node(s) didn't satisfy existing pods anti-affinity rules"];

/** Amounts by topology key and value. */
class Domains {
  private readonly amounts = new Map<string, Map<string, number>>();

  add(entry: NodeEntry, key: string, amount: number): void {
    const value = domainOf(entry, key);
    if (value === undefined) return;
    const values = this.amounts.get(key) ?? new Map<string, number>();
    values.set(value, (values.get(value) ?? 0) + amount);
    this.amounts.set(key, values);
  }

  of(entry: NodeEntry, key: string): number {
    const value = domainOf(entry, key);
    return value === undefined ? 0 : (this.amounts.get(key)?.get(value) ?? 0);
  }

  keys(): string[] {
    return [...this.amounts.keys()];
  }
}

export function domainOf(entry: NodeEntry, key: string): string | undefined {
  return labelOf(entry.node?.metadata?.labels ?? {}, key);
}

/** Required affinity and anti-affinity between pods, the pod's own and that of pods which run already. */
export const interPodAffinityFilter: Filter = {
  name: "InterPodAffinity",
  wokenBy: ["node-added", "node-labels", "pod-freed", "pod-placed", "pod-labels", "namespace-labels"],
  dependsOn: "usage",
  prepare(pod, table) {
    const { affinity = [], antiAffinity = [] } = pod.terms ?? {};
    const forbidden = forbiddenByOthers(pod, table);
    if (affinity.length + antiAffinity.length === 0 && forbidden.keys().length === 0) return undefined;
    const near = new Domains();
    const away = new Domains();
    let anyNear = false;
    if (affinity.length + antiAffinity.length > 0) {
      for (const { info, entry } of table.placements()) {
        if (affinity.length > 0 && affinity.every((term) => means(term, info, table))) {
          anyNear = true;
          for (const { topologyKey } of affinity) near.add(entry, topologyKey, 1);
        }
        for (const term of antiAffinity) if (means(term, info, table)) away.add(entry, term.topologyKey, 1);
      }
    }
    const isFirst = !anyNear && affinity.every((term) => means(term, pod, table));
    return (entry) => {
      const reached = affinity.every(({ topologyKey }) =>
        isFirst ? domainOf(entry, topologyKey) !== undefined : near.of(entry, topologyKey) > 0,
      );
      if (!reached) return NO_AFFINITY;
      if (antiAffinity.some(({ topologyKey }) => away.of(entry, topologyKey) > 0)) return ANTI_AFFINITY;
      return forbidden.keys().some((key) => forbidden.of(entry, key) > 0) ? OTHERS_ANTI_AFFINITY : PASSES;
    };
  },
};

function means(term: PodTerm, info: PodInfo, table: NodeTable): boolean {
  return termMatches(term, info.pod, table.namespaceLabels);
}

/** Where pods run that do not want this one near. */
function forbiddenByOthers(pod: PodInfo, table: NodeTable): Domains {
  const domains = new Domains();
  for (const { info, entry } of table.placementsWithTerms()) {
    for (const term of info.terms?.antiAffinity ?? []) {
      if (means(term, pod, table)) domains.add(entry, term.topologyKey, 1);
    }
  }
  return domains;
}

/** What an existing pod's required affinity to this one is worth; upstream's default. */
const HARD_WEIGHT = 1;

/** Preferred affinity and anti-affinity, the pod's own and that of pods which run already. */
export const interPodAffinityScore: Score = {
  name: "InterPodAffinity",
  weight: 2,
  normalize: "range",
  prepare(pod, table) {
    const domains = new Domains();
    const own = pod.terms?.preferred ?? [];
    for (const { info, entry } of own.length > 0 ? table.placements() : []) {
      for (const term of own) if (means(term, info, table)) domains.add(entry, term.topologyKey, term.weight);
    }
    for (const { info, entry } of table.placementsWithTerms()) {
      const { preferred = [], affinity = [] } = info.terms ?? {};
      for (const term of preferred) if (means(term, pod, table)) domains.add(entry, term.topologyKey, term.weight);
      for (const term of affinity) if (means(term, pod, table)) domains.add(entry, term.topologyKey, HARD_WEIGHT);
    }
    const keys = domains.keys();
    if (keys.length === 0) return undefined;
    return (nodes, into) => {
      for (let index = 0; index < nodes.length; index++) {
        let sum = 0;
        for (const key of keys) sum += domains.of(nodes[index]!, key);
        into[index] = sum;
      }
    };
  },
};
