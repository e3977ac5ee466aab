import type { ContainerStatus, Pod, PodCondition } from "../../lib/gen/k8s/core/v1.ts";
import { initContainers, isSidecar, longRunning } from "./pod-facts.ts";
import { initialized, type PodPhase } from "./pod-phase.ts";

/** The conditions that the agent owns; others of the same pod belong to others and are kept. */
const OWNED = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"] as const;

interface Verdict {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason?: string;
  readonly message?: string;
}

export interface ConditionSources {
  readonly phase: PodPhase;
  readonly init: readonly ContainerStatus[];
  readonly app: readonly ContainerStatus[];
  readonly sandboxReady: boolean;
  /** RFC 3339, of a condition whose status changes now. */
  readonly now: string;
}

export function conditionsOf(pod: Pod, sources: ConditionSources): PodCondition[] {
  const containersReady = containersReadyOf(pod, sources);
  const verdicts: Verdict[] = [
    { type: "PodReadyToStartContainers", status: sources.sandboxReady ? "True" : "False" },
    initializedOf(pod, sources),
    readyOf(pod, containersReady),
    containersReady,
    { type: "PodScheduled", status: "True" },
  ];
  const old = pod.status?.conditions ?? [];
  const foreign = old.filter((condition) => !OWNED.some((type) => type === condition.type));
  return [...verdicts.map((verdict) => stamped(pod, verdict, sources.now)), ...foreign];
}

function stamped(pod: Pod, verdict: Verdict, now: string): PodCondition {
  const old = pod.status?.conditions?.find((condition) => condition.type === verdict.type);
  const unchanged = old?.status === verdict.status && old.lastTransitionTime !== undefined;
  const generation = pod.metadata?.generation;
  return {
    type: verdict.type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    status: verdict.status,
    lastTransitionTime: unchanged ? (old.lastTransitionTime ?? now) : now,
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict.message === undefined ? {} : { message: verdict.message }),
  };
}

function initializedOf(pod: Pod, sources: ConditionSources): Verdict {
  const type = "Initialized";
  if (sources.phase === "Succeeded") return { type, status: "True", reason: "PodCompleted" };
  const names = initContainers(pod).map((container) => container.name ?? "");
  const missing = names.filter((name) => !initialized(pod, name, sources.init));
  if (missing.length === 0) return { type, status: "True" };
  const message = `containers with incomplete status: ${list(missing)}`;
  return { type, status: "False", reason: "ContainersNotInitialized", message };
}

function containersReadyOf(pod: Pod, sources: ConditionSources): Verdict {
  const type = "ContainersReady";
  if (sources.phase === "Succeeded") return { type, status: "False", reason: "PodCompleted" };
  if (sources.phase === "Failed") return { type, status: "False", reason: "PodFailed" };
  const statuses = [...sources.init, ...sources.app];
  const unready = longRunning(pod)
    .map((container) => container.name ?? "")
    .filter((name) => statuses.find((status) => status.name === name)?.ready !== true);
  const missing = initContainers(pod)
    .filter((container) => !isSidecar(container))
    .filter((container) => !initialized(pod, container.name ?? "", sources.init));
  if (unready.length === 0 && missing.length === 0) return { type, status: "True" };
  const message = `containers with unready status: ${list(unready)}`;
  return { type, status: "False", reason: "ContainersNotReady", message };
}

/** Ready: every container, and every gate that the pod names. */
function readyOf(pod: Pod, containersReady: Verdict): Verdict {
  const type = "Ready";
  if (containersReady.status === "False") return { ...containersReady, type };
  const closed = (pod.spec?.readinessGates ?? []).flatMap((gate) => {
    const condition = pod.status?.conditions?.find((each) => each.type === gate.conditionType);
    if (condition === undefined)
      return [`corresponding condition of pod readiness gate "${gate.conditionType}" does not exist.`];
    if (condition.status === "True") return [];
    return [`the status of pod readiness gate "${gate.conditionType}" is not "True", but ${condition.status}`];
  });
  if (closed.length === 0) return { type, status: "True" };
  return { type, status: "False", reason: "ReadinessGatesNotReady", message: closed.join(", ") };
}

function list(names: readonly string[]): string {
  return `[${names.join(" ")}]`;
}
