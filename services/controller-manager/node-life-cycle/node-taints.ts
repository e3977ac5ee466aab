import { formatTime } from "../../../lib/core/clock.ts";
import type { Node, Taint } from "../../../lib/gen/k8s/core/v1.ts";
import { readiness } from "./node-health.ts";

export const NOT_READY = "node.kubernetes.io/not-ready";
export const UNREACHABLE = "node.kubernetes.io/unreachable";

/** Condition and the status in which it taints; source: kubernetes.io, "Taint Nodes by Condition". */
const BY_CONDITION: readonly (readonly [type: string, status: string, key: string])[] = [
  ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
  ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
  ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
];
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";
const NO_SCHEDULE_KEYS = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE, ...BY_CONDITION.map(([, , key]) => key)]);

/** Taints that keep pods from coming. */
export function noScheduleTaints(node: Node): Taint[] {
  const keys: string[] = [];
  const ready = readiness(node);
  if (ready === "False") keys.push(NOT_READY);
  if (ready === "Unknown") keys.push(hasPosted(node) ? UNREACHABLE : NOT_READY);
  for (const [type, status, key] of BY_CONDITION) {
    if (node.status?.conditions?.some((condition) => condition.type === type && condition.status === status))
      keys.push(key);
  }
  if (node.spec?.unschedulable === true) keys.push(UNSCHEDULABLE);
  return keys.map((key) => ({ key, effect: "NoSchedule" }));
}

/** The taint that makes pods leave, by how the node is; undefined when it is well. */
export function noExecuteKey(node: Node): string | undefined {
  const ready = readiness(node);
  if (ready === "True") return undefined;
  return ready === "Unknown" && hasPosted(node) ? UNREACHABLE : NOT_READY;
}

/** A node without conditions has registered and not yet said how it is: not ready, not lost. */
function hasPosted(node: Node): boolean {
  return node.status?.conditions?.some((condition) => condition.type === "Ready") ?? false;
}

/**
 * The taints that the node should have: those of others as they are, ours by its state. A NoExecute taint is added only
 * when `mayEvict`, and taken away whenever the node is well.
 */
export function wantedTaints(node: Node, options: { mayEvict: boolean; nowMs: number }): Taint[] {
  const before = node.spec?.taints ?? [];
  const leaveKey = noExecuteKey(node);
  const kept = before.filter((taint) => {
    if (taint.effect === "NoSchedule") return !NO_SCHEDULE_KEYS.has(taint.key ?? "");
    const ours = taint.effect === "NoExecute" && (taint.key === NOT_READY || taint.key === UNREACHABLE);
    return !ours || taint.key === leaveKey;
  });
  const stays = noScheduleTaints(node).map(
    (taint) => before.find((old) => old.key === taint.key && old.effect === taint.effect) ?? taint,
  );
  const leaves = kept.some((taint) => taint.effect === "NoExecute" && taint.key === leaveKey);
  const timeAdded = formatTime(options.nowMs);
  const leave =
    leaveKey !== undefined && options.mayEvict && !leaves ? [{ key: leaveKey, effect: "NoExecute", timeAdded }] : [];
  return [...kept, ...stays, ...leave];
}

export function sameTaints(a: readonly Taint[], b: readonly Taint[]): boolean {
  const text = (taints: readonly Taint[]) =>
    JSON.stringify(taints.map(({ key, value, effect }) => `${key}=${value}:${effect}`).sort());
  return text(a) === text(b);
}
