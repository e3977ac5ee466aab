import type { Score } from "./score.ts";

/**
 * Where the pod has no topologySpreadConstraints of its own: pods of one owner go to nodes, and to zones, that have fewest of them. A zone counts half as much as a node, so that
 * nodes are filled evenly within zones of different size.
 */
export const ownerSpreadScore: Score = {
  name: "DefaultSpread",
  weight: 2,
  normalize: "fewest-best",
  prepare(pod, table) {
    const owner = pod.ownerUid;
    if (owner === "" || (pod.terms?.spread.length ?? 0) > 0) return undefined;
    const counts = table.podsOfOwner(owner);
    if (counts === undefined) return undefined;
    const byRow = new Float64Array(table.rowCount);
    const byZone = new Float64Array(table.zoneCount);
    for (const [entry, count] of counts) {
      byRow[entry.row] = count;
      byZone[entry.zone]! += count / 2;
    }
    return (nodes, into) => {
      for (let index = 0; index < nodes.length; index++) {
        const { row, zone } = nodes[index]!;
        into[index] = byRow[row]! + byZone[zone]!;
      }
    };
  },
};
