import {
  type Container,
  type ContainerStatus,
  ContainerState as CriContainerState,
  type Image,
  type PodSandbox,
  PodSandboxState,
  type PodSandboxStatus,
} from "../../../lib/gen/runtime/v1/api.ts";
import { type ContainerState, type ImageRecord, LABELS, type PodIdentity, type SandboxState } from "../runtime.ts";

/** The runtime's answers in the agent's words. What makes no sense is `suspect`: never a reason to kill or to start. */
const STATES: Readonly<Record<number, ContainerState["state"]>> = {
  [CriContainerState.CONTAINER_CREATED]: "created",
  [CriContainerState.CONTAINER_RUNNING]: "running",
  [CriContainerState.CONTAINER_EXITED]: "exited",
  [CriContainerState.CONTAINER_UNKNOWN]: "unknown",
};

export function containerStateOf(
  listed: Container,
  status: ContainerStatus,
  lists: { readonly sandboxes: readonly PodSandbox[]; readonly containers: readonly Container[] },
): ContainerState {
  const suspect = suspicion(listed, status, lists);
  const state = STATES[status.state] ?? "unknown";
  return {
    id: listed.id,
    sandboxId: listed.podSandboxId,
    name: status.labels[LABELS.containerName] ?? status.metadata?.name ?? "",
    attempt: status.metadata?.attempt ?? 0,
    state: suspect === undefined ? state : "unknown",
    ...(suspect === undefined ? {} : { suspect }),
    createdAtMs: toMs(status.createdAt),
    // A container that ended at once has ended, to containerd, a moment before its start was noted.
    startedAtMs:
      status.finishedAt > 0n ? Math.min(toMs(status.startedAt), toMs(status.finishedAt)) : toMs(status.startedAt),
    finishedAtMs: toMs(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    image: imageName(status),
    imageRef: status.imageRef,
    labels: status.labels,
    annotations: status.annotations,
    mounts: status.mounts.map((mount) => ({
      containerPath: mount.containerPath,
      hostPath: mount.hostPath,
      readOnly: mount.readonly,
    })),
    logPath: status.logPath,
  };
}

function suspicion(
  listed: Container,
  status: ContainerStatus,
  lists: { readonly sandboxes: readonly PodSandbox[]; readonly containers: readonly Container[] },
): string | undefined {
  if (listed.id === "" || status.id !== listed.id) return "the runtime answered for another container";
  if (lists.containers.filter((each) => each.id === listed.id).length !== 1) return "the runtime listed it twice";
  if (STATES[status.state] === undefined) return `the runtime gave the unknown state ${status.state}`;
  if (status.metadata === undefined) return "the runtime gave no metadata";
  if (status.createdAt < 0n || status.startedAt < 0n || status.finishedAt < 0n)
    return "the runtime gave a negative time";
  if (status.state === CriContainerState.CONTAINER_EXITED && status.finishedAt === 0n)
    return "the runtime gave an exit without its time";
  if (!lists.sandboxes.some((sandbox) => sandbox.id === listed.podSandboxId))
    return "its sandbox is not known to the runtime";
  return undefined;
}

/** An id is not a name; the pod's own words are better then. */
function imageName(status: ContainerStatus): string {
  const name = status.image?.userSpecifiedImage || status.image?.image || "";
  return name.startsWith("sha256:") ? "" : name;
}

export function sandboxStateOf(listed: PodSandbox, status: PodSandboxStatus | undefined): SandboxState {
  const ready = (status ?? listed).state === PodSandboxState.SANDBOX_READY;
  const network = status?.network;
  const ips = [network?.ip ?? "", ...(network?.additionalIps ?? []).map((each) => each.ip)];
  return {
    id: listed.id,
    attempt: listed.metadata?.attempt ?? 0,
    ready,
    createdAtMs: toMs(listed.createdAt),
    ips: ready ? ips.filter((ip) => ip !== "") : [],
    labels: listed.labels,
    annotations: listed.annotations,
  };
}

/** Every pod in the lists that an agent made; others on the same runtime are none of its business. */
export function podIdentities(sandboxes: readonly PodSandbox[], containers: readonly Container[]): PodIdentity[] {
  const pods = new Map<string, PodIdentity>();
  const note = (labels: Readonly<Record<string, string>>, alive: boolean): void => {
    const uid = labels[LABELS.podUid];
    if (uid === undefined || uid === "") return;
    const name = labels[LABELS.podName] ?? "";
    const namespace = labels[LABELS.podNamespace] ?? "";
    pods.set(uid, { uid, name, namespace, alive: alive || (pods.get(uid)?.alive ?? false) });
  };
  for (const sandbox of sandboxes) note(sandbox.labels, sandbox.state === PodSandboxState.SANDBOX_READY);
  for (const container of containers) note(container.labels, container.state !== CriContainerState.CONTAINER_EXITED);
  return [...pods.values()];
}

export function imageRecordOf(image: Image): ImageRecord {
  const { uid, username } = image;
  let user: ImageRecord["user"];
  if (uid !== undefined) user = { uid: Number(uid.value) };
  else if (username !== "") user = { name: username };
  return { id: image.id, tags: image.repoTags, digests: image.repoDigests, sizeBytes: Number(image.size), user };
}

function toMs(nanos: bigint): number {
  return Number(nanos / 1_000_000n);
}
