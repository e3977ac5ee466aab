import { formatTime } from "../../lib/core/clock.ts";
import type {
  ContainerState as ApiContainerState,
  Container,
  ContainerStateTerminated,
  ContainerStatus,
  Pod,
} from "../../lib/gen/k8s/core/v1.ts";
import type { ContainerState, PodState } from "../runtime/runtime.ts";
import { attemptsOf, isSidecar } from "./pod-facts.ts";

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
  const started = running && sources.started(latest);
  const current = currentState(pod, latest, sources);
  const last = current.waiting !== undefined && latest.state === "exited" ? latest : previous;
  const lastState = last === undefined ? old?.lastState : { terminated: terminatedOf(last, sources.runtimeName) };
  const isReady =
    kind === "init" && !isSidecar(container)
      ? latest.state === "exited" && latest.exitCode === 0
      : running && sources.ready(latest);
  return {
    name,
    state: current,
    ...(lastState === undefined || (latest.attempt === 0 && lastState.terminated?.containerID === undefined)
      ? {}
      : { lastState }),
    ...(isReady ? { ready: true } : {}),
    // invariant 43: the count never falls, also when older records are gone.
    ...positive("restartCount", Math.max(latest.attempt, Number(old?.restartCount ?? 0))),
    image: latest.image === "" || latest.image.startsWith("sha256:") ? (container.image ?? "") : latest.image,
    ...(latest.imageRef === "" ? {} : { imageID: latest.imageRef }),
    containerID: `${sources.runtimeName}://${latest.id}`,
    started,
    ...(running ? resourcesOf(container) : {}),
    ...mountsOf(container),
  };
}

function positive(name: "restartCount", value: number): { restartCount?: number } {
  return value > 0 ? { [name]: value } : {};
}

function currentState(pod: Pod, latest: ContainerState, sources: StatusSources): ApiContainerState {
  switch (latest.state) {
    case "running":
      return { running: { startedAt: formatTime(latest.startedAtMs) } };
    case "created":
      return { waiting: sources.waiting(latest.name) ?? defaultWaiting(pod) };
    case "exited": {
      const waiting = sources.ended ? undefined : sources.waiting(latest.name);
      return waiting === undefined ? { terminated: terminatedOf(latest, sources.runtimeName) } : { waiting };
    }
    case "unknown":
      return {
        waiting: { reason: "ContainerStatusUnknown", message: latest.suspect ?? "the runtime does not know its state" },
      };
  }
}

export function terminatedOf(exited: ContainerState, runtimeName: string): ContainerStateTerminated {
  return {
    ...(exited.exitCode === 0 ? {} : { exitCode: exited.exitCode }),
    ...(exited.reason === "" ? {} : { reason: exited.reason }),
    ...(exited.message === "" ? {} : { message: exited.message }),
    ...(exited.startedAtMs > 0 ? { startedAt: formatTime(exited.startedAtMs) } : {}),
    ...(exited.finishedAtMs > 0 ? { finishedAt: formatTime(exited.finishedAtMs) } : {}),
    containerID: `${runtimeName}://${exited.id}`,
  };
}

/** No record: it never ran, or its record is lost. What the API shows of an earlier run must not be forgotten. */
function withoutRecord(
  pod: Pod,
  container: Container,
  old: ContainerStatus | undefined,
  sources: StatusSources,
): ContainerStatus {
  const name = container.name ?? "";
  const base = { name, image: container.image ?? "", ...mountsOf(container) };
  const ran = old?.containerID !== undefined && old.containerID !== "";
  if (!ran || old === undefined) {
    return { ...base, state: { waiting: sources.waiting(name) ?? defaultWaiting(pod) }, started: false };
  }
  if (old.state?.terminated !== undefined && (sources.ended || sources.waiting(name) === undefined)) {
    const { ready: _ready, ...kept } = old;
    return isDone(old) ? old : { ...kept, started: false };
  }
  const lost = { exitCode: 137, reason: "ContainerStatusUnknown", message: LOST_MESSAGE };
  const terminated: ContainerStateTerminated = old.state?.terminated ?? { ...lost, containerID: old.containerID ?? "" };
  const count = positive("restartCount", Number(old.restartCount ?? 0));
  const ids = { ...(old.imageID === undefined ? {} : { imageID: old.imageID }), containerID: old.containerID ?? "" };
  if (sources.ended) return { ...base, ...ids, state: { terminated }, ...count, started: false };
  const waiting = sources.waiting(name) ?? defaultWaiting(pod);
  return { ...base, ...ids, state: { waiting }, lastState: { terminated }, ...count, started: false };
}

function isDone(old: ContainerStatus): boolean {
  return old.state?.terminated !== undefined && (old.state.terminated.exitCode ?? 0) === 0;
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
