import { controllerOf, keyOf } from "../../../lib/client/api-object.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { podRequests, scoringRequests } from "./pod-requests.ts";
import { type PodTerms, podTermsOf } from "./pod-terms.ts";

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** A pod with all that placement reads, computed once. */
export interface PodInfo {
  readonly key: string;
  readonly uid: string;
  readonly pod: Pod;
  readonly priority: number;
  /** Without zero amounts; one of `pods` is always among them. */
  readonly requests: readonly (readonly [resource: string, amount: number])[];
  readonly scoringCpuMilli: number;
  readonly scoringMemoryBytes: number;
  readonly hostPorts: readonly HostPort[];
  /** Pods of one owner are spread over nodes. */
  readonly ownerUid: string;
  /** What it says about other pods; undefined for most. */
  readonly terms: PodTerms | undefined;
  /** Equal for pods that the same nodes suit, as far as nodes' own properties decide. */
  readonly signature: string;
}

export function podInfoOf(pod: Pod): PodInfo {
  const requests = podRequests(pod);
  requests.set("pods", 1);
  const scoring = scoringRequests(pod);
  const { nodeName, nodeSelector, affinity, tolerations } = pod.spec ?? {};
  return {
    key: keyOf(pod),
    uid: pod.metadata?.uid ?? "",
    pod,
    priority: pod.spec?.priority ?? 0,
    requests: [...requests].filter(([, amount]) => amount > 0),
    scoringCpuMilli: scoring.get("cpu") ?? 0,
    scoringMemoryBytes: scoring.get("memory") ?? 0,
    hostPorts: hostPortsOf(pod),
    ownerUid: controllerOf(pod)?.uid ?? "",
    terms: podTermsOf(pod),
    signature: JSON.stringify([nodeName, nodeSelector, affinity?.nodeAffinity, tolerations]),
  };
}

function hostPortsOf(pod: Pod): HostPort[] {
  const ports: HostPort[] = [];
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const { hostPort = 0, hostIP = "", protocol = "TCP" } of container.ports ?? []) {
      if (hostPort > 0) ports.push({ ip: hostIP === "" ? "0.0.0.0" : hostIP, protocol, port: hostPort });
    }
  }
  return ports;
}

const ANY_IP = new Set(["0.0.0.0", "::"]);

export function portsClash(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || ANY_IP.has(a.ip) || ANY_IP.has(b.ip));
}
