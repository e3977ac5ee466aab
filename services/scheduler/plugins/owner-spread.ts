import type { NodeEntry } from "../nodes/node-table.ts";
import type { Score } from "./score.ts";

const ZONE = "topology.kubernetes.io/zone";

/**
 * Pods of one owner go to nodes, and to zones, that have fewest of them. A zone counts half as much as a node, so that
 * nodes are filled evenly within zones of different size.
 */
export const ownerSpreadScore: Score = {
  name: "PodTopologySpread",
  weight: 2,
  normalize: "fewest-best",
  prepare(pod, table) {
    const owner = pod.ownerUid;
    if (owner === "") return undefined;
    const byZone = new Map<string, number>();
    let any = false;
    for (const entry of table.nodes()) {
      const alike = entry.podsByOwner.get(owner) ?? 0;
      if (alike === 0) continue;
      any = true;
      byZone.set(zoneOf(entry), (byZone.get(zoneOf(entry)) ?? 0) + alike);
    }
    if (!any) return undefined;
    return (entry) => (entry.podsByOwner.get(owner) ?? 0) + (byZone.get(zoneOf(entry)) ?? 0) / 2;
  },
};

function zoneOf(entry: NodeEntry): string {
  return entry.node?.metadata?.labels?.[ZONE] ?? "";
}
