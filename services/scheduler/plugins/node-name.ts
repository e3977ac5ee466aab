import { type Filter, PASSES } from "./filter.ts";

const REFUSED = ["node(s) didn't match the requested node name"];

export const nodeNameFilter: Filter = {
  name: "NodeName",
  wokenBy: ["node-added"],
  dependsOn: "node",
  prepare(pod) {
    const nodeName = pod.pod.spec?.nodeName;
    return nodeName === undefined ? undefined : (entry) => (entry.name === nodeName ? PASSES : REFUSED);
  },
};
