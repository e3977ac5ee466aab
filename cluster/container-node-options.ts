import type { ContainerNodeOptions } from "../node-agent/container-node.ts";
import { nodeFolder, nodeNamesOf } from "./cluster-nodes.ts";
import type { ClusterRecord } from "./cluster-record.ts";

/** Where the containers of a cluster's node are: with everything else in one process, or with a node agent of their own. */
export function containerNodeOptions(dataDir: string, record: ClusterRecord): ContainerNodeOptions {
  if (record.layout !== "split") return { dataDir, id: record.id };
  return { dataDir: nodeFolder(dataDir, nodeNamesOf(record)[0] ?? "") };
}
