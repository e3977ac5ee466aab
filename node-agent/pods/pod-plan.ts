import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { ANNOTATIONS, type ContainerState, type PodState, type SandboxState } from "../runtime/runtime.ts";
import { containerHash } from "./container-spec.ts";
import { appContainers, initContainers, isSidecar, latestOf, longRunning, shouldRestart } from "./pod-facts.ts";

/** One step that moves a pod from what is to what should be. */
export interface PodPlan {
  /** The sandbox is missing or broken: stop what is left of it, then make this attempt. */
  readonly newSandboxAttempt?: number;
  /** There was one before, so people are told that it changed. */
  readonly sandboxChanged: boolean;
  readonly kill: readonly KillAction[];
  /** In this order; those in back-off wait. */
  readonly start: readonly Container[];
  /** Nothing runs that should and nothing will be started: end what is left. */
  readonly finished: boolean;
  /** Answers of the runtime that make no sense: nothing is done on their word. */
  readonly suspects: readonly ContainerState[];
}

export interface KillAction {
  readonly container: ContainerState;
  readonly message: string;
}

/** What probes know, as far as decisions need it. */
export interface ProbeVerdicts {
  started(container: ContainerState): boolean;
  /** Why it must be killed; undefined while it is well. */
  condemned(container: ContainerState): string | undefined;
}

/** The agent's heart: pure, so that every case is a test. `pod` is alive: deletion has its own path. */
export function planPod(pod: Pod, state: PodState, probes: ProbeVerdicts): PodPlan {
  const suspects = state.containers.filter((container) => container.suspect !== undefined);
  if (suspects.length > 0) return { ...NOTHING, suspects };
  const sandbox = usableSandbox(pod, state);
  if (sandbox === undefined) return planNewSandbox(pod, state);
  const init = planInit(pod, state, sandbox, probes);
  if (init.failed) return { ...NOTHING, finished: true };
  if (!init.done) return { ...NOTHING, start: init.start, kill: init.kill };

  const start = [...init.start];
  const kill = [...init.kill];
  let alive = 0;
  for (const container of appContainers(pod)) {
    const latest = latestOf(state, container.name ?? "");
    const verdict = verdictOn(pod, container, latest, probes);
    if (verdict.kill !== undefined) kill.push(verdict.kill);
    if (verdict.start) start.push(container);
    if (verdict.keep || verdict.start || verdict.kill !== undefined) alive++;
  }
  return alive === 0 ? { ...NOTHING, finished: true } : { ...NOTHING, start, kill };
}

const NOTHING: PodPlan = { sandboxChanged: false, kill: [], start: [], finished: false, suspects: [] };

/** The one ready sandbox; two would mean that neither can be trusted. */
export function usableSandbox(pod: Pod, state: PodState): SandboxState | undefined {
  const ready = state.sandboxes.filter((sandbox) => sandbox.ready);
  const [newest] = state.sandboxes;
  if (ready.length !== 1 || newest === undefined || !newest.ready) return undefined;
  if (pod.spec?.hostNetwork !== true && newest.ips.length === 0) return undefined;
  return newest;
}

function planNewSandbox(pod: Pod, state: PodState): PodPlan {
  const wanted = appContainers(pod).filter((container) => {
    const latest = latestOf(state, container.name ?? "");
    return latest === undefined || latest.state !== "exited" || shouldRestart(pod, container, latest);
  });
  if (wanted.length === 0 || initHasFailed(pod, state)) return { ...NOTHING, finished: true };
  const attempt = Math.max(-1, ...state.sandboxes.map((sandbox) => sandbox.attempt)) + 1;
  const [firstInit] = initContainers(pod);
  return {
    ...NOTHING,
    newSandboxAttempt: attempt,
    sandboxChanged: state.sandboxes.length > 0,
    start: firstInit === undefined ? wanted : [firstInit],
  };
}

function initHasFailed(pod: Pod, state: PodState): boolean {
  return initContainers(pod).some((container) => {
    const latest = latestOf(state, container.name ?? "");
    return latest?.state === "exited" && latest.exitCode !== 0 && !shouldRestart(pod, container, latest);
  });
}

interface InitPlan {
  readonly done: boolean;
  readonly failed: boolean;
  readonly start: readonly Container[];
  readonly kill: readonly KillAction[];
}

/** Init containers run one after the other, each to success; sidecars only have to have started (KEP-753). */
function planInit(pod: Pod, state: PodState, sandbox: SandboxState, probes: ProbeVerdicts): InitPlan {
  // Once an app container has been made here all init containers had succeeded, even if their records are gone.
  const passed = appContainers(pod).some((app) => latestOf(state, app.name ?? "", sandbox.id) !== undefined);
  const start: Container[] = [];
  const kill: KillAction[] = [];
  const plan = (done: boolean, failed = false): InitPlan => ({ done, failed, start, kill });
  for (const container of initContainers(pod)) {
    const latest = latestOf(state, container.name ?? "", sandbox.id);
    if (!isSidecar(container)) {
      if (passed || (latest?.state === "exited" && latest.exitCode === 0)) continue;
      if (latest?.state === "exited" && !shouldRestart(pod, container, latest)) return plan(false, true);
      if (latest?.state !== "running") start.push(container);
      return plan(false);
    }
    const verdict = verdictOn(pod, container, latest, probes);
    if (verdict.kill !== undefined) kill.push(verdict.kill);
    if (verdict.start) start.push(container);
    const up = verdict.keep && latest !== undefined && probes.started(latest);
    if (!up && !passed) return plan(false);
  }
  return plan(true);
}

interface Verdict {
  readonly keep: boolean;
  readonly start: boolean;
  readonly kill?: KillAction;
}

function verdictOn(pod: Pod, container: Container, latest: ContainerState | undefined, probes: ProbeVerdicts): Verdict {
  if (latest === undefined || latest.state === "created") return { keep: false, start: true };
  if (latest.state === "exited") return { keep: false, start: shouldRestart(pod, container, latest) };
  if (latest.state === "unknown") {
    const message = `Container ${container.name} is in unknown state, try killing it before starting a new one`;
    return { keep: false, start: true, kill: { container: latest, message } };
  }
  const madeAs = latest.annotations[ANNOTATIONS.hash];
  const changed = madeAs !== undefined && madeAs !== containerHash(container);
  const reason = changed ? "definition changed" : probes.condemned(latest);
  if (reason === undefined) return { keep: true, start: false };
  const restart = changed || isSidecar(container) || pod.spec?.restartPolicy !== "Never";
  const message = restart
    ? `Container ${container.name} ${reason}, will be restarted`
    : `Container ${container.name} ${reason}`;
  return { keep: false, start: restart, kill: { container: latest, message } };
}

/** Containers that serve and run now: what probes look after. */
export function runningContainers(
  pod: Pod,
  state: PodState,
): readonly { container: Container; state: ContainerState }[] {
  return longRunning(pod).flatMap((container) => {
    const latest = latestOf(state, container.name ?? "");
    return latest?.state === "running" ? [{ container, state: latest }] : [];
  });
}
