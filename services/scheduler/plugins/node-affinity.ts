import { type Filter, PASSES } from "./filter.ts";
import { labelOf, matchesTerm } from "./node-selector-term.ts";
import type { Score } from "./score.ts";

const REFUSED = ["node(s) didn't match Pod's node affinity/selector"];

export const nodeAffinityFilter: Filter = {
  name: "NodeAffinity",
  wokenBy: ["node-added", "node-labels"],
  dependsOn: "node",
  prepare(pod) {
    const selector = Object.entries(pod.pod.spec?.nodeSelector ?? {});
    const required = pod.pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (selector.length === 0 && required === undefined) return undefined;
    const terms = required?.nodeSelectorTerms ?? [];
    return (entry) => {
      const labels = entry.node?.metadata?.labels ?? {};
      const selected = selector.every(([key, value]) => labelOf(labels, key) === value);
      const affine = required === undefined || terms.some((term) => matchesTerm(term, entry));
      return selected && affine ? PASSES : REFUSED;
    };
  },
};

/** The sum of the weights of the preferences that the node meets. */
export const nodeAffinityScore: Score = {
  name: "NodeAffinity",
  weight: 2,
  normalize: "most-best",
  prepare(pod) {
    const preferred = pod.pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    return (nodes, into) => {
      for (const [index, entry] of nodes.entries()) {
        const met = preferred.filter(({ preference }) => preference !== undefined && matchesTerm(preference, entry));
        into[index] = met.reduce((sum, { weight = 0 }) => sum + weight, 0);
      }
    };
  },
};
