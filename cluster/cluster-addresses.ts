import type { ClusterRecord } from "./cluster-record.ts";

/** Where a cluster and its parts are reached, by what they are. */
export function clusterAddresses(record: ClusterRecord): { readonly api: string; readonly [name: string]: string } {
  const { network, apiPort, grpcPort } = record;
  // gRPC is for what only this machine and the cluster's pods reach: the node's own address, or loopback where it has none.
  const own = { api: `https://127.0.0.1:${apiPort}`, grpc: `${network?.nodeAddress ?? "127.0.0.1"}:${grpcPort}` };
  if (network === undefined) return own;
  return { ...own, node: network.nodeAddress, pods: network.podCidr, services: network.serviceCidr };
}
