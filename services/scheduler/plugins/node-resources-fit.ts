import { type Filter, PASSES } from "./filter.ts";

/** What the pod asks for must be free, resource by resource, the number of pods among them. */
export const nodeResourcesFit: Filter = {
  name: "NodeResourcesFit",
  wokenBy: ["node-added", "node-allocatable", "pod-freed"],
  dependsOn: "usage",
  isHopeless(pod, { row }, { columns }) {
    return pod.requests.some(([resource, amount]) => amount > columns.column(resource).allocatable[row]!);
  },
  prepare(pod, table) {
    const wanted = pod.requests.map(([resource, amount]) => ({
      column: table.columns.column(resource),
      amount,
      reason: resource === "pods" ? "Too many pods" : `Insufficient ${resource}`,
    }));
    return ({ row }) => {
      let reasons = PASSES;
      for (let index = 0; index < wanted.length; index++) {
        const { column, amount, reason } = wanted[index]!;
        if (column.requested[row]! + amount > column.allocatable[row]!) reasons = [...reasons, reason];
      }
      return reasons;
    };
  },
};
