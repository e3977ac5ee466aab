import { formatTime } from "../../lib/core/clock.ts";
import type { ContainerStatus, Pod, PodStatus } from "../../lib/gen/k8s/core/v1.ts";
import type { PodState } from "../runtime/runtime.ts";
import { containerStatusOf, type StatusSources } from "./container-status.ts";
import { conditionsOf } from "./pod-conditions.ts";
import { appContainers, initContainers } from "./pod-facts.ts";
import { phaseOf } from "./pod-phase.ts";

export interface PodStatusSources extends StatusSources {
  readonly nowMs: number;
  readonly hostIp: string;
  /** Why the node itself ended or refused the pod. */
  readonly verdict?: { readonly reason: string; readonly message: string };
}

/** A pod's status as its node sees it: a function of the spec, the last written status and the runtime's state. */
export function podStatusOf(pod: Pod, state: PodState, sources: PodStatusSources): PodStatus {
  const now = formatTime(sources.nowMs);
  const init = initContainers(pod).map((each) => containerStatusOf(pod, each, "init", state, sources));
  const app = appContainers(pod).map((each) => containerStatusOf(pod, each, "app", state, sources));
  app.sort((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1));
  const phase = phaseOf(pod, init, app, sources.ended);
  const [sandbox] = state.sandboxes;
  const onHost = pod.spec?.hostNetwork === true;
  const sandboxReady = sandbox?.ready === true && (onHost || sandbox.ips.length > 0);
  const ips = podIps(pod, state, sources.hostIp);
  const generation = pod.metadata?.generation;
  const old = pod.status ?? {};
  return {
    ...foreignOf(old),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: conditionsOf(pod, { phase, init, app, sandboxReady, now }),
    ...(sources.verdict ?? kept(old)),
    hostIP: sources.hostIp,
    hostIPs: [{ ip: sources.hostIp }],
    ...(ips.length === 0 ? {} : { podIP: ips[0]!, podIPs: ips.map((ip) => ({ ip })) }),
    startTime: old.startTime ?? now,
    ...(init.length === 0 ? {} : { initContainerStatuses: init as ContainerStatus[] }),
    ...(app.length === 0 ? {} : { containerStatuses: app }),
  };
}

/** What this node says of a pod; whatever else is in a status is somebody else's and stays. */
const OWNED: readonly (keyof PodStatus)[] = [
  "observedGeneration",
  "phase",
  "conditions",
  "reason",
  "message",
  "hostIP",
  "hostIPs",
  "podIP",
  "podIPs",
  "startTime",
  "initContainerStatuses",
  "containerStatuses",
];

function foreignOf(old: PodStatus): PodStatus {
  return Object.fromEntries(Object.entries(old).filter(([key]) => !OWNED.some((owned) => owned === key)));
}

function kept(old: PodStatus): { reason?: string; message?: string } {
  return {
    ...(old.reason === undefined ? {} : { reason: old.reason }),
    ...(old.message === undefined ? {} : { message: old.message }),
  };
}

/** The sandbox's addresses; those it had stay in the status until there are new ones. */
export function podIps(pod: Pod, state: PodState, hostIp: string): readonly string[] {
  if (pod.spec?.hostNetwork === true) return [hostIp];
  const [sandbox] = state.sandboxes;
  if (sandbox !== undefined && sandbox.ips.length > 0) return sandbox.ips;
  return (pod.status?.podIPs ?? []).map((each) => each.ip ?? "");
}
