import type { ContainerStatus, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { appContainers, initContainers, isSidecar, isTerminalPhase } from "./pod-facts.ts";

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed";

/**
 * The phase that container statuses add up to; source: KEP-2 of pod life cycle and
 * kubernetes/website:content/en/docs/concepts/workloads/pods/pod-lifecycle.md. `ended`: no container runs and none will be
 * started. Invariant 44: a terminal phase stays, and none is given while anything runs.
 */
export function phaseOf(
  pod: Pod,
  init: readonly ContainerStatus[],
  app: readonly ContainerStatus[],
  ended: boolean,
): PodPhase {
  const old = pod.status?.phase;
  if (isTerminalPhase(old)) return old as PodPhase;
  const phase = currentPhase(pod, init, app, ended);
  // A sandbox that died brings the init containers back, not the pod's beginning.
  return phase === "Pending" && old === "Running" ? "Running" : phase;
}

function currentPhase(
  pod: Pod,
  init: readonly ContainerStatus[],
  app: readonly ContainerStatus[],
  ended: boolean,
): PodPhase {
  const policy = pod.spec?.restartPolicy;
  const anyRuns = [...init, ...app].some((status) => status.state?.running !== undefined);
  const initFailed = initContainers(pod).some((container) => {
    const exitCode = exitCodeOf(init.find((status) => status.name === container.name));
    return !isSidecar(container) && exitCode !== undefined && exitCode !== 0;
  });
  if (initFailed && policy === "Never" && !anyRuns) return "Failed";
  const initDone = initContainers(pod).every((container) => initialized(pod, container.name ?? "", init));

  const exits = app.map(exitCodeOf);
  const allStopped = app.length === appContainers(pod).length && exits.every((exitCode) => exitCode !== undefined);
  if (ended && !anyRuns) {
    const good = allStopped && initDone && exits.every((exitCode) => exitCode === 0);
    return good ? "Succeeded" : "Failed";
  }
  if (!initDone) return "Pending";
  if (app.some(neverRan)) return "Pending";
  if (!allStopped || anyRuns) return "Running";
  if (policy === "Always" || policy === undefined) return "Running";
  if (exits.every((exitCode) => exitCode === 0)) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}

/** Done for good: exited with 0, or a sidecar that has started. */
export function initialized(pod: Pod, name: string, init: readonly ContainerStatus[]): boolean {
  const status = init.find((each) => each.name === name);
  const container = initContainers(pod).find((each) => each.name === name);
  if (status === undefined || container === undefined) return false;
  if (isSidecar(container)) return status.started === true || status.state?.terminated !== undefined;
  return status.state?.terminated !== undefined && (status.state.terminated.exitCode ?? 0) === 0;
}

/** Exit code of the last run, also when it waits for its next. */
function exitCodeOf(status: ContainerStatus | undefined): number | undefined {
  const terminated = status?.state?.terminated ?? (status?.state?.waiting && status.lastState?.terminated);
  return terminated === undefined ? undefined : (terminated.exitCode ?? 0);
}

function neverRan(status: ContainerStatus): boolean {
  return status.state?.running === undefined && exitCodeOf(status) === undefined;
}
