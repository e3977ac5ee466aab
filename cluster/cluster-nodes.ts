import path from "node:path";
import type { ClusterRecord } from "./cluster-record.ts";
import { addressAt } from "./network-plan.ts";

export const LOOPBACK = "127.0.0.1";
/** In the split layout, where each simulated node is a process. */
export const SPLIT_NODES_MAX = 16;
/** Simulated nodes take a /24 each from here. */
const SIMULATED_POD_CIDR = "10.0.0.0/8";
const ADDRESSES_PER_NODE = 256;

export function nodeNamesOf(record: ClusterRecord): string[] {
  return Array.from({ length: record.nodes }, (_, index) => `node-${index + 1}`);
}

/** Where nodes, and gRPC of the API, are reached: loopback where nodes have no network. */
export function nodeAddressOf(record: ClusterRecord): string {
  return record.network?.nodeAddress ?? LOOPBACK;
}

export function podCidrOf(record: ClusterRecord, index: number): string {
  return record.network?.nodePodCidr ?? `${addressAt(SIMULATED_POD_CIDR, (index + 1) * ADDRESSES_PER_NODE)}/24`;
}

/** What the node keeps. */
export function nodeFolder(dataDir: string, name: string): string {
  return path.join(dataDir, "nodes", name);
}
