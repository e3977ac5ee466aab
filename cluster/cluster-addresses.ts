import { LOOPBACK, nodeAddressOf } from "./cluster-nodes.ts";
import type { ClusterRecord } from "./cluster-record.ts";

/** Where a cluster and its parts are reached, by what they are. */
export function clusterAddresses(record: ClusterRecord): { readonly api: string; readonly [name: string]: string } {
  const { network, apiPort, grpcPort } = record;
  const own = { api: `https://${LOOPBACK}:${apiPort}`, grpc: `${nodeAddressOf(record)}:${grpcPort}` };
  if (network === undefined) return own;
  return { ...own, node: network.nodeAddress, pods: network.podCidr, services: network.serviceCidr };
}
