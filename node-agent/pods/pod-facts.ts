import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { ContainerState, PodState } from "../runtime/runtime.ts";

/** The API's default when a pod says nothing. */
const DEFAULT_GRACE_SECONDS = 30;
/** However short the asked grace is, a process gets this long between SIGTERM and SIGKILL (invariant 47). */
const GRACE_FLOOR_SECONDS = 2;

export function podUid(pod: Pod): string {
  return pod.metadata?.uid ?? "";
}

/** `name_namespace(uid)`, as upstream names a pod in messages. */
export function podLabel(pod: Pod): string {
  return `${pod.metadata?.name}_${pod.metadata?.namespace}(${podUid(pod)})`;
}

export function appContainers(pod: Pod): readonly Container[] {
  return pod.spec?.containers ?? [];
}

export function initContainers(pod: Pod): readonly Container[] {
  return pod.spec?.initContainers ?? [];
}

/** An init container that goes on beside the others (KEP-753). */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/** Init containers that are sidecars and all app containers: those that serve. */
export function longRunning(pod: Pod): readonly Container[] {
  return [...initContainers(pod).filter(isSidecar), ...appContainers(pod)];
}

/** The attempt that counts: attempts only rise, clocks may not. */
export function latestOf(state: PodState, name: string, sandboxId?: string): ContainerState | undefined {
  return attemptsOf(state, name).find((each) => sandboxId === undefined || each.sandboxId === sandboxId);
}

/** Every attempt of one container, the last first. */
export function attemptsOf(state: PodState, name: string): readonly ContainerState[] {
  return state.containers.filter((each) => each.name === name).sort((a, b) => b.attempt - a.attempt);
}

export function shouldRestart(pod: Pod, container: Container, exited: ContainerState): boolean {
  if (isSidecar(container)) return true;
  switch (pod.spec?.restartPolicy) {
    case "Never":
      return false;
    case "OnFailure":
      return exited.exitCode !== 0;
    default:
      return true;
  }
}

export function isBeingDeleted(pod: Pod): boolean {
  return pod.metadata?.deletionTimestamp !== undefined;
}

export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/** How long its containers get to end. */
export function graceSecondsOf(pod: Pod): number {
  const asked =
    pod.metadata?.deletionGracePeriodSeconds ??
    (isBeingDeleted(pod) ? 0 : (pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS));
  return Math.max(GRACE_FLOOR_SECONDS, Number(asked));
}
