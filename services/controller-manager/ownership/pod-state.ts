import { parseTimeMs } from "../../../lib/core/clock.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";

/** Runs or will run: neither ended nor ending. */
export function isActive(pod: Pod): boolean {
  return !hasEnded(pod) && pod.metadata?.deletionTimestamp === undefined;
}

export function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

function readySinceMs(pod: Pod): number | undefined {
  const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready");
  if (ready?.status !== "True") return undefined;
  return ready.lastTransitionTime === undefined ? 0 : parseTimeMs(ready.lastTransitionTime);
}

export function isReady(pod: Pod): boolean {
  return readySinceMs(pod) !== undefined;
}

/** Milliseconds until the pod has been ready for `minReadySeconds`: 0 when it has, undefined when it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const sinceMs = readySinceMs(pod);
  if (sinceMs === undefined) return undefined;
  return minReadySeconds === 0 ? 0 : Math.max(0, sinceMs + minReadySeconds * 1_000 - nowMs);
}

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const COST = "controller.kubernetes.io/pod-deletion-cost";

/**
 * Orders pods so that the first are best deleted: without a node, not yet running, not ready, cheap by annotation
 * (KEP-2255), with siblings on their node, ready for a short time, often restarted, young.
 */
export function deletionOrder(pods: readonly Pod[], siblings: readonly Pod[]): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of siblings) {
    const node = pod.spec?.nodeName ?? "";
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const rankOf = (pod: Pod): readonly number[] => [
    pod.spec?.nodeName === undefined ? 0 : 1,
    PHASE_RANK[pod.status?.phase ?? "Pending"] ?? 1,
    isReady(pod) ? 1 : 0,
    costOf(pod),
    -(perNode.get(pod.spec?.nodeName ?? "") ?? 0),
    -ageBand(readySinceMs(pod) ?? 0),
    -restartsOf(pod),
    -parseTimeMs(pod.metadata?.creationTimestamp ?? ""),
  ];
  const ranked = pods.map((pod) => ({ pod, rank: rankOf(pod) }));
  ranked.sort((a, b) => compareRanks(a.rank, b.rank));
  return ranked.map(({ pod }) => pod);
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return 0;
}

/** Times count by order of magnitude only, so that pods of one wave are equal (KEP-2185). */
function ageBand(ms: number): number {
  return ms <= 0 ? 0 : Math.floor(Math.log2(ms));
}

function costOf(pod: Pod): number {
  const text = pod.metadata?.annotations?.[COST] ?? "0";
  return /^-?\d{1,10}$/.test(text) ? Number(text) : 0;
}

function restartsOf(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount ?? 0));
}
