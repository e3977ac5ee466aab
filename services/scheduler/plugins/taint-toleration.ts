import type { Taint } from "../../../lib/gen/k8s/core/v1.ts";
import type { NodeEntry } from "../nodes/node-table.ts";
import { type Filter, PASSES } from "./filter.ts";
import type { Score } from "./score.ts";
import { isTolerated } from "./tolerations.ts";

const REFUSED = ["node(s) had untolerated taint(s)"];

function taintsOf(entry: NodeEntry): readonly Taint[] {
  return entry.node?.spec?.taints ?? [];
}

export const taintTolerationFilter: Filter = {
  name: "TaintToleration",
  wokenBy: ["node-added", "node-taints"],
  dependsOn: "node",
  prepare(pod) {
    const tolerations = pod.pod.spec?.tolerations ?? [];
    return (entry) =>
      taintsOf(entry).some((taint) => taint.effect !== "PreferNoSchedule" && !isTolerated(taint, tolerations))
        ? REFUSED
        : PASSES;
  },
};

/** Fewer taints PreferNoSchedule that are not tolerated are better. */
export const taintTolerationScore: Score = {
  name: "TaintToleration",
  weight: 3,
  normalize: "fewest-best",
  prepare(pod, table) {
    if (!table.hasAvoided) return undefined;
    const tolerations = (pod.pod.spec?.tolerations ?? []).filter(
      ({ effect = "" }) => effect === "" || effect === "PreferNoSchedule",
    );
    const avoids = (taint: Taint) => taint.effect === "PreferNoSchedule" && !isTolerated(taint, tolerations);
    return (nodes, into) => {
      for (const [index, entry] of nodes.entries())
        into[index] = entry.isAvoided ? taintsOf(entry).filter(avoids).length : 0;
    };
  },
};
