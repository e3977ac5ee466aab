import type { NetworkPlan } from "./network-plan.ts";

export type LayoutName = "all-in-one" | "split";

/** An etcd of somebody else's that is used as the store. */
export interface ExternalStore {
  /** `HOST:PORT` of each member. */
  readonly endpoints: readonly string[];
  /** PEM files that the api-server proves itself with and checks the members by; absent: plain text. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** What a cluster was made with: chosen at its first start and kept over restarts. */
export interface ClusterRecord {
  /** Short, unique on the machine; part of every name that is put into the kernel. */
  readonly id: string;
  /** Absent in clusters of earlier releases: all-in-one. */
  readonly layout?: LayoutName;
  readonly runtime: "containerd" | "simulated";
  readonly nodes: number;
  /** Port of the API on the machine's loopback. */
  readonly apiPort: number;
  /** Port of the API over gRPC, on the node's address. */
  readonly grpcPort: number;
  /** Only with real containers. */
  readonly network?: NetworkPlan;
  /** Only in the split layout; absent: the cluster has a store of its own. */
  readonly store?: ExternalStore;
}
