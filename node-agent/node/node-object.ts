import { formatTime } from "../../lib/core/clock.ts";
import type { Node, NodeCondition, NodeStatus } from "../../lib/gen/k8s/core/v1.ts";
import type { ImageRecord, RuntimeHealth, RuntimeVersion } from "../runtime/runtime.ts";
import type { Machine, Pressures } from "./machine.ts";

export interface NodeIdentity {
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly podCidr: string;
  readonly kubeletPort: number;
  /** Of this agent, `v1.36.0-keelson`. */
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface NodeFacts {
  readonly machine: Machine;
  readonly runtime: RuntimeVersion;
  readonly health: RuntimeHealth;
  readonly pressures: Pressures;
  readonly images: readonly ImageRecord[];
  readonly nowMs: number;
}

/** Images that the Node object names at most; source: kubernetes/kubernetes:pkg/kubelet (nodeStatusMaxImages). */
const IMAGES_LIMIT = 50;

/** The labels that every node has. */
export function nodeLabels(identity: NodeIdentity, machine: Machine): Record<string, string> {
  return {
    "beta.kubernetes.io/arch": machine.architecture,
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": machine.architecture,
    "kubernetes.io/hostname": identity.nodeName,
    "kubernetes.io/os": "linux",
    ...identity.labels,
  };
}

export function newNode(identity: NodeIdentity, facts: NodeFacts): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: identity.nodeName, labels: nodeLabels(identity, facts.machine) },
    spec: identity.podCidr === "" ? {} : { podCIDR: identity.podCidr, podCIDRs: [identity.podCidr] },
    status: nodeStatusOf(undefined, identity, facts),
  };
}

export function nodeStatusOf(old: NodeStatus | undefined, identity: NodeIdentity, facts: NodeFacts): NodeStatus {
  const { machine, runtime, images } = facts;
  return {
    ...old,
    capacity: { ...machine.capacity },
    allocatable: { ...machine.capacity },
    conditions: conditionsOf(old?.conditions ?? [], facts),
    addresses: [
      { type: "InternalIP", address: identity.nodeIp },
      { type: "Hostname", address: identity.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: identity.kubeletPort } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.systemUuid,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
      kubeletVersion: identity.version,
      operatingSystem: "linux",
      architecture: machine.architecture,
    },
    ...imagesOf(images),
  };
}

function imagesOf(images: readonly ImageRecord[]): Pick<NodeStatus, "images"> {
  const largest = [...images].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, IMAGES_LIMIT);
  if (largest.length === 0) return {};
  return { images: largest.map((image) => ({ names: [...image.digests, ...image.tags], sizeBytes: image.sizeBytes })) };
}

interface Verdict {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

function conditionsOf(old: readonly NodeCondition[], facts: NodeFacts): NodeCondition[] {
  const verdicts = [...pressuresOf(facts.pressures), readyOf(facts.health)];
  const now = formatTime(facts.nowMs);
  const foreign = old.filter((condition) => !verdicts.some((each) => each.type === condition.type));
  const ours = verdicts.map((verdict) => {
    const before = old.find((condition) => condition.type === verdict.type);
    const since = before?.status === verdict.status ? before.lastTransitionTime : undefined;
    return { ...verdict, lastHeartbeatTime: now, lastTransitionTime: since ?? now };
  });
  return [...foreign, ...ours];
}

/** Texts of kubernetes/kubernetes:pkg/kubelet/nodestatus. */
function pressuresOf({ memory, disk, pids }: Pressures): Verdict[] {
  return [
    memory
      ? condition("MemoryPressure", true, "KubeletHasInsufficientMemory", "kubelet has insufficient memory available")
      : condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    disk
      ? condition("DiskPressure", true, "KubeletHasDiskPressure", "kubelet has disk pressure")
      : condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    pids
      ? condition("PIDPressure", true, "KubeletHasInsufficientPID", "kubelet has insufficient PID available")
      : condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
  ];
}

function condition(type: string, isTrue: boolean, reason: string, message: string): Verdict {
  return { type, status: isTrue ? "True" : "False", reason, message };
}

function readyOf(health: RuntimeHealth): Verdict {
  if (health.runtimeReady && health.networkReady)
    return { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" };
  return { type: "Ready", status: "False", reason: "KubeletNotReady", message: health.message };
}
