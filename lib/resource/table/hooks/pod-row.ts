import type { ContainerStatus, Pod, PodStatus } from "../../../gen/k8s/core/v1.ts";
import { epochMs, humanAge } from "../human-duration.ts";
import type { ComputedRow, RowCondition } from "../row-hook.ts";

const succeeded: RowCondition = {
  type: "Completed",
  status: "True",
  reason: "Succeeded",
  message: "The pod has completed successfully.",
};
const failed: RowCondition = { type: "Completed", status: "True", reason: "Failed", message: "The pod failed." };

interface Restarts {
  count: number;
  last: string | undefined;
}

interface PodSummary {
  /** What the `Status` column shows. */
  readonly status: string;
  readonly ready: number;
  readonly total: number;
  readonly restarts: Restarts;
}

/** Source of rules: kubernetes/kubernetes:pkg/printers/internalversion (the table of pods). */
export function podRow(pod: Pod, nowMs: number): ComputedRow {
  const { status = {}, spec = {} } = pod;
  const { ready, total, status: text, restarts } = summarize(pod);
  const gates = spec.readinessGates ?? [];
  const passed = gates.filter((gate) => conditionOf(status, gate.conditionType ?? "")?.status === "True");
  const cells = {
    Ready: `${ready}/${total}`,
    Status: text,
    Restarts:
      restarts.count === 0 || restarts.last === undefined
        ? String(restarts.count)
        : `${restarts.count} (${humanAge(restarts.last, nowMs)} ago)`,
    IP: status.podIPs?.[0]?.ip ?? "<none>",
    Node: spec.nodeName ?? "<none>",
    "Nominated Node": status.nominatedNodeName ?? "<none>",
    "Readiness Gates": gates.length === 0 ? "<none>" : `${passed.length}/${gates.length}`,
  };
  if (status.phase === "Succeeded") return { cells, conditions: [succeeded] };
  if (status.phase === "Failed") return { cells, conditions: [failed] };
  return { cells };
}

function conditionOf(
  status: PodStatus,
  type: string,
): { readonly status?: string; readonly reason?: string } | undefined {
  return status.conditions?.find((condition) => condition.type === type);
}

function summarize(pod: Pod): PodSummary {
  const { status = {}, spec = {} } = pod;
  const sidecars = new Set(
    (spec.initContainers ?? []).filter((one) => one.restartPolicy === "Always").map((one) => one.name ?? ""),
  );
  const init = initSummary(pod, sidecars);
  const initialized = conditionOf(status, "Initialized")?.status === "True";
  const main = init.text === undefined || initialized ? mainSummary(status) : undefined;
  const text = main?.text ?? init.text ?? phaseText(status);
  return {
    status: deletionText(pod) ?? settled(text, main?.hasRunning ?? false, status),
    ready: init.ready + (main?.ready ?? 0),
    total: (spec.containers?.length ?? 0) + sidecars.size,
    restarts: main === undefined ? init.restarts : sum(init.sidecarRestarts, main.restarts),
  };
}

function phaseText(status: PodStatus): string {
  if (conditionOf(status, "PodScheduled")?.reason === "SchedulingGated") return "SchedulingGated";
  return status.reason ?? status.phase ?? "";
}

function deletionText(pod: Pod): string | undefined {
  if (pod.metadata?.deletionTimestamp === undefined) return undefined;
  const { phase, reason } = pod.status ?? {};
  if (reason === "NodeLost") return "Unknown";
  return phase === "Succeeded" || phase === "Failed" ? undefined : "Terminating";
}

/** A pod of which one container is over and another runs is not `Completed`. */
function settled(text: string, hasRunning: boolean, status: PodStatus): string {
  if (text !== "Completed" || !hasRunning) return text;
  return conditionOf(status, "Ready")?.status === "True" ? "Running" : "NotReady";
}

function sum(left: Restarts, right: Restarts): Restarts {
  return { count: left.count + right.count, last: later(left.last, right.last) };
}

function later(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return epochMs(left) >= epochMs(right) ? left : right;
}

function restartsOf(container: ContainerStatus): Restarts {
  return { count: container.restartCount ?? 0, last: container.lastState?.terminated?.finishedAt };
}

function terminatedText(container: ContainerStatus, prefix: string): string | undefined {
  const terminated = container.state?.terminated;
  if (terminated === undefined) return undefined;
  if (terminated.reason !== undefined) return `${prefix}${terminated.reason}`;
  if ((terminated.signal ?? 0) !== 0) return `${prefix}Signal:${terminated.signal}`;
  return `${prefix}ExitCode:${terminated.exitCode ?? 0}`;
}

interface InitSummary {
  /** Set while a container of the start-up is not done. */
  readonly text: string | undefined;
  readonly ready: number;
  readonly restarts: Restarts;
  readonly sidecarRestarts: Restarts;
}

function initSummary(pod: Pod, sidecars: ReadonlySet<string>): InitSummary {
  let restarts: Restarts = { count: 0, last: undefined };
  let sidecarRestarts: Restarts = { count: 0, last: undefined };
  let ready = 0;
  let text: string | undefined;
  for (const [index, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const isSidecar = sidecars.has(container.name ?? "");
    restarts = sum(restarts, restartsOf(container));
    if (isSidecar) sidecarRestarts = sum(sidecarRestarts, restartsOf(container));
    const { terminated, waiting } = container.state ?? {};
    if (terminated !== undefined && (terminated.exitCode ?? 0) === 0) continue;
    if (isSidecar && container.started === true) {
      if (container.ready === true) ready++;
      continue;
    }
    const waits = waiting?.reason !== undefined && waiting.reason !== "PodInitializing";
    text =
      terminatedText(container, "Init:") ??
      (waits ? `Init:${waiting.reason}` : `Init:${index}/${pod.spec?.initContainers?.length ?? 0}`);
    break;
  }
  return { text, ready, restarts, sidecarRestarts };
}

interface MainSummary {
  /** What the first container that is not fine says. */
  readonly text: string | undefined;
  readonly ready: number;
  readonly hasRunning: boolean;
  readonly restarts: Restarts;
}

function mainSummary(status: PodStatus): MainSummary {
  let restarts: Restarts = { count: 0, last: undefined };
  let ready = 0;
  let text: string | undefined;
  for (const container of (status.containerStatuses ?? []).toReversed()) {
    restarts = sum(restarts, restartsOf(container));
    const waiting = container.state?.waiting?.reason;
    if (waiting !== undefined) text = waiting;
    else if (container.state?.terminated !== undefined) text = terminatedText(container, "");
    else if (container.ready === true && container.state?.running !== undefined) ready++;
  }
  return { text, ready, hasRunning: ready > 0, restarts };
}
