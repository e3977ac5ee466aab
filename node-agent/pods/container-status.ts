import { formatTime } from "../../lib/core/clock.ts";
import type {
  ContainerState as ApiContainerState,
  Container,
  ContainerStateTerminated,
  ContainerStatus,
  Pod,
} from "../../lib/gen/k8s/core/v1.ts";
import type { ContainerState, PodState } from "../runtime/runtime.ts";
import { attemptsOf, isSidecar, shouldRestart } from "./pod-facts.ts";

/** Why a container is not running although it should: `CrashLoopBackOff`, `ErrImagePull` … */
export interface WaitingReason {
  readonly reason: string;
  readonly message: string;
}

/** What a container's status is made of beside the runtime's records. */
export interface StatusSources {
  readonly runtimeName: string;
  readonly waiting: (container: string) => WaitingReason | undefined;
  readonly ready: (container: ContainerState) => boolean;
  readonly started: (container: ContainerState) => boolean;
  /** The pod has ended for good: nothing is going to be started. */
  readonly ended: boolean;
}

/** Reason of a container whose record is gone; source: kubernetes/kubernetes:pkg/kubelet/container. */
const LOST_MESSAGE = "The container could not be located when the pod was terminated";

export function containerStatusOf(
  pod: Pod,
  container: Container,
  kind: "init" | "app",
  state: PodState,
  sources: StatusSources,
): ContainerStatus {
  const name = container.name ?? "";
  const old = oldStatusOf(pod, name, kind);
  const [latest, previous] = attemptsOf(state, name);
  if (latest === undefined) return withoutRecord(pod, container, old, sources);

  const running = latest.state === "running";
  const isDone = latest.state === "exited" && !runsAgain(pod, container, kind, latest);
  const current = currentState(pod, latest, old, isDone, sources);
  const last = current.waiting !== undefined && latest.state === "exited" ? latest : previous;
  const lastState = last === undefined ? old?.lastState : { terminated: terminatedOf(last, old, sources) };
  return {
    name,
    state: current,
    ...(lastState === undefined ? {} : { lastState }),
    ...(isReady(container, kind, latest, sources) ? { ready: true } : {}),
    // Invariant 43: the count never falls, also when older records are gone.
    ...positiveCount(Math.max(latest.attempt, Number(old?.restartCount ?? 0))),
    image: latest.image === "" || latest.image.startsWith("sha256:") ? (container.image ?? "") : latest.image,
    ...(latest.imageRef === "" ? {} : { imageID: latest.imageRef }),
    containerID: containerIdOf(latest, sources),
    started: running && sources.started(latest),
    ...(running ? resourcesOf(container) : {}),
    ...mountsOf(container),
  };
}

function runsAgain(pod: Pod, container: Container, kind: "init" | "app", exited: ContainerState): boolean {
  if (kind === "init" && !isSidecar(container) && exited.exitCode === 0) return false;
  return shouldRestart(pod, container, exited);
}

function isReady(container: Container, kind: "init" | "app", latest: ContainerState, sources: StatusSources): boolean {
  if (kind === "init" && !isSidecar(container)) return latest.state === "exited" && latest.exitCode === 0;
  return latest.state === "running" && sources.ready(latest);
}

function positiveCount(restartCount: number): { restartCount?: number } {
  return restartCount > 0 ? { restartCount } : {};
}

function containerIdOf(container: ContainerState, sources: StatusSources): string {
  return `${sources.runtimeName}://${container.id}`;
}

function currentState(
  pod: Pod,
  latest: ContainerState,
  old: ContainerStatus | undefined,
  isDone: boolean,
  sources: StatusSources,
): ApiContainerState {
  switch (latest.state) {
    case "running":
      return { running: { startedAt: formatTime(latest.startedAtMs) } };
    case "created":
      return { waiting: sources.waiting(latest.name) ?? defaultWaiting(pod) };
    case "exited": {
      const waiting = sources.ended || isDone ? undefined : sources.waiting(latest.name);
      return waiting === undefined ? { terminated: terminatedOf(latest, old, sources) } : { waiting };
    }
    case "unknown": {
      const message = latest.suspect ?? "the runtime does not know its state";
      return { waiting: { reason: "ContainerStatusUnknown", message } };
    }
  }
}

/** What the API was told of an end stays: the message's file may be gone by now. */
function terminatedOf(
  exited: ContainerState,
  old: ContainerStatus | undefined,
  sources: StatusSources,
): ContainerStateTerminated {
  const containerID = containerIdOf(exited, sources);
  const told = [old?.state?.terminated, old?.lastState?.terminated].find((each) => each?.containerID === containerID);
  if (told !== undefined) return told;
  return {
    ...(exited.exitCode === 0 ? {} : { exitCode: exited.exitCode }),
    ...(exited.reason === "" ? {} : { reason: exited.reason }),
    ...(exited.message === "" ? {} : { message: exited.message }),
    ...(exited.startedAtMs > 0 ? { startedAt: formatTime(exited.startedAtMs) } : {}),
    ...(exited.finishedAtMs > 0 ? { finishedAt: formatTime(exited.finishedAtMs) } : {}),
    containerID,
  };
}

/** No record here: it never ran, or its record is lost. What the API shows of an earlier run is not forgotten. */
function withoutRecord(
  pod: Pod,
  container: Container,
  old: ContainerStatus | undefined,
  sources: StatusSources,
): ContainerStatus {
  const name = container.name ?? "";
  const base = { name, image: container.image ?? "", started: false, ...mountsOf(container) };
  const reason = sources.ended ? undefined : sources.waiting(name);
  const waiting = reason ?? defaultWaiting(pod);
  if (old?.containerID === undefined || old.containerID === "") return { ...base, state: { waiting } };
  if (old.state?.terminated !== undefined && reason === undefined) return old;
  const { containerID } = old;
  const lost = { exitCode: 137, reason: "ContainerStatusUnknown", message: LOST_MESSAGE, containerID };
  const waited = old.state?.waiting === undefined ? undefined : old.lastState?.terminated;
  const terminated: ContainerStateTerminated = old.state?.terminated ?? waited ?? lost;
  return {
    ...base,
    state: sources.ended ? { terminated } : { waiting },
    ...(sources.ended ? {} : { lastState: { terminated } }),
    ...positiveCount(Number(old.restartCount ?? 0)),
    ...(old.imageID === undefined ? {} : { imageID: old.imageID }),
    containerID,
  };
}

function defaultWaiting(pod: Pod): WaitingReason | { reason: string } {
  return (pod.spec?.initContainers ?? []).length > 0 ? { reason: "PodInitializing" } : { reason: "ContainerCreating" };
}

export function oldStatusOf(pod: Pod, name: string, kind: "init" | "app"): ContainerStatus | undefined {
  const list = kind === "init" ? pod.status?.initContainerStatuses : pod.status?.containerStatuses;
  return list?.find((each) => each.name === name);
}

function resourcesOf(container: Container): Partial<ContainerStatus> {
  const { requests, limits } = container.resources ?? {};
  if (requests === undefined && limits === undefined) return { resources: {} };
  return {
    ...(requests === undefined ? {} : { allocatedResources: requests }),
    resources: { ...(limits === undefined ? {} : { limits }), ...(requests === undefined ? {} : { requests }) },
  };
}

function mountsOf(container: Container): Partial<ContainerStatus> {
  const mounts = container.volumeMounts ?? [];
  if (mounts.length === 0) return {};
  return {
    volumeMounts: mounts.map((mount) => ({
      name: mount.name ?? "",
      mountPath: mount.mountPath ?? "",
      ...(mount.readOnly === true ? { readOnly: true, recursiveReadOnly: "Disabled" } : {}),
    })),
  };
}
