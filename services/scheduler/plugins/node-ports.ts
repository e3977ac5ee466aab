import { portsClash } from "../nodes/pod-info.ts";
import { type Filter, PASSES } from "./filter.ts";

const REFUSED = ["node(s) didn't have free ports for the requested pod ports"];

export const nodePortsFilter: Filter = {
  name: "NodePorts",
  wokenBy: ["node-added", "pod-freed"],
  dependsOn: "usage",
  prepare(pod) {
    if (pod.hostPorts.length === 0) return undefined;
    return (entry) => {
      for (const other of entry.pods.values()) {
        if (other.uid === pod.uid || other.hostPorts.length === 0) continue;
        if (other.hostPorts.some((used) => pod.hostPorts.some((wanted) => portsClash(used, wanted)))) return REFUSED;
      }
      return PASSES;
    };
  },
};
