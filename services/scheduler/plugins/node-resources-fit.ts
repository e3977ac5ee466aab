import { type Filter, PASSES } from "./filter.ts";

/** What the pod asks for must be free, resource by resource, the number of pods among them. */
export const nodeResourcesFit: Filter = {
  name: "NodeResourcesFit",
  wokenBy: ["node-added", "node-allocatable", "pod-freed"],
  dependsOn: "usage",
  prepare(pod, table) {
    const wanted = pod.requests.map(([resource, amount]) => ({
      column: table.columns.column(resource),
      amount,
      reason: resource === "pods" ? "Too many pods" : `Insufficient ${resource}`,
    }));
    return ({ row }) => {
      let reasons = PASSES;
      for (const { column, amount, reason } of wanted) {
        if ((column.requested[row] ?? 0) + amount > (column.allocatable[row] ?? 0)) reasons = [...reasons, reason];
      }
      return reasons;
    };
  },
};
