import { type Filter, PASSES } from "./filter.ts";
import { isTolerated } from "./tolerations.ts";

const REFUSED = ["node(s) were unschedulable"];
const TAINT = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

export const nodeUnschedulableFilter: Filter = {
  name: "NodeUnschedulable",
  wokenBy: ["node-added", "node-schedulable"],
  dependsOn: "node",
  prepare(pod) {
    if (isTolerated(TAINT, pod.pod.spec?.tolerations ?? [])) return undefined;
    return (entry) => (entry.node?.spec?.unschedulable === true ? REFUSED : PASSES);
  },
};
