import type { NetworkPlan } from "./network-plan.ts";

/** What a cluster was made with: chosen at its first start and kept over restarts. */
export interface ClusterRecord {
  /** Short, unique on the machine; part of every name that is put into the kernel. */
  readonly id: string;
  readonly runtime: "containerd" | "simulated";
  readonly nodes: number;
  /** Port of the API on the machine's loopback. */
  readonly apiPort: number;
  /** Port of the API over gRPC, on the node's address. */
  readonly grpcPort: number;
  /** Only with real containers. */
  readonly network?: NetworkPlan;
}
