import type { Deployment, ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";
import { DESIRED, MAX, numberAnnotation } from "./annotations.ts";

/** How many pods a ReplicaSet shall have. */
export interface Change {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

export interface Limits {
  readonly replicas: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** Percentages count of `spec.replicas`, surge rounded up and unavailability down; both zero would never move. */
export function limitsOf(deployment: Deployment): Limits {
  const { replicas = 1, strategy } = deployment.spec ?? {};
  if (strategy?.type === "Recreate") return { replicas, maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge = "25%", maxUnavailable = "25%" } = strategy?.rollingUpdate ?? {};
  const surge = amountOf(maxSurge, replicas, Math.ceil);
  const unavailable = amountOf(maxUnavailable, replicas, Math.floor);
  const least = surge === 0 && unavailable === 0 ? 1 : unavailable;
  return { replicas, maxSurge: surge, maxUnavailable: Math.min(least, Math.max(replicas, 1)) };
}

function amountOf(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === "number") return value;
  const percent = Number.parseInt(value, 10);
  return Number.isNaN(percent) ? 0 : round((percent * total) / 100);
}

export const wanted = (set: ReplicaSet | undefined): number => (set === undefined ? 0 : (set.spec?.replicas ?? 1));
const available = (set: ReplicaSet | undefined): number => set?.status?.availableReplicas ?? 0;
export const sum = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number =>
  sets.reduce((total, set) => total + of(set), 0);

/** How many pods the ReplicaSet of the present template may have beside the old ones. */
export function newReplicas(limits: Limits, current: number, total: number, isRolling: boolean): number {
  if (!isRolling) return limits.replicas;
  const room = limits.replicas + limits.maxSurge - total;
  return room <= 0 ? current : current + Math.min(room, limits.replicas - current);
}

/** One step of a rolling update: first the new ones grow, then the old ones shrink as far as availability allows. */
export function rollingStep(limits: Limits, fresh: ReplicaSet, old: readonly ReplicaSet[]): Change[] {
  const all = [fresh, ...old];
  const has = wanted(fresh);
  const grown = has > limits.replicas ? limits.replicas : newReplicas(limits, has, sum(all, wanted), true);
  if (grown !== has) return [{ set: fresh, replicas: grown }];
  return shrinkOld(limits, fresh, old);
}

function shrinkOld(limits: Limits, fresh: ReplicaSet, old: readonly ReplicaSet[]): Change[] {
  const active = byAge(old.filter((set) => wanted(set) > 0));
  if (active.length === 0) return [];
  const least = limits.replicas - limits.maxUnavailable;
  const freshLacking = Math.max(0, wanted(fresh) - available(fresh));
  let mayGo = sum([fresh, ...old], wanted) - least - freshLacking;
  if (mayGo <= 0) return [];
  const target = new Map(active.map((set) => [set, wanted(set)]));
  for (const set of active) {
    const broken = Math.min(mayGo, Math.max(0, wanted(set) - available(set)));
    target.set(set, wanted(set) - broken);
    mayGo -= broken;
  }
  let spare = Math.min(mayGo, available(fresh) + sum(active, available) - least);
  for (const set of active) {
    const has = target.get(set) ?? 0;
    const goes = Math.max(0, Math.min(spare, has));
    target.set(set, has - goes);
    spare -= goes;
  }
  return changed(target);
}

/** Recreate: all old ones end before the first new one begins. */
export function allToZero(old: readonly ReplicaSet[]): Change[] {
  return old.filter((set) => wanted(set) > 0).map((set) => ({ set, replicas: 0 }));
}

/** Whether `spec.replicas` changed since the ReplicaSets were sized. */
export function isScaling(limits: Limits, sets: readonly ReplicaSet[]): boolean {
  return sets.some((set) => {
    const desired = numberAnnotation(set, DESIRED);
    return wanted(set) > 0 && desired !== undefined && desired !== limits.replicas;
  });
}

/** Sizes every ReplicaSet for a changed `spec.replicas`; in the midst of a rollout each keeps its share. */
export function proportionalStep(
  limits: Limits,
  fresh: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  isRolling: boolean,
): Change[] {
  const all = fresh === undefined ? [...old] : [...old, fresh];
  const active = all.filter((set) => wanted(set) > 0);
  const only = active.length > 1 ? undefined : (active[0] ?? fresh ?? byAge(old).at(-1));
  if (only !== undefined) return wanted(only) === limits.replicas ? [] : [{ set: only, replicas: limits.replicas }];
  if (isSaturated(limits, fresh)) return allToZero(old);
  if (!isRolling) return [];
  const allowed = limits.replicas > 0 ? limits.replicas + limits.maxSurge : 0;
  let left = allowed - sum(active, wanted);
  const ordered = byAge(active).sort((a, b) => wanted(b) - wanted(a));
  if (left > 0) ordered.reverse().sort((a, b) => wanted(b) - wanted(a));
  const target = new Map<ReplicaSet, number>();
  for (const set of ordered) {
    const share = left === 0 ? 0 : shareOf(set, limits, left);
    target.set(set, wanted(set) + share);
    left -= share;
  }
  const first = ordered[0];
  if (first !== undefined) target.set(first, Math.max(0, (target.get(first) ?? 0) + left));
  return changed(target);
}

function isSaturated(limits: Limits, fresh: ReplicaSet | undefined): boolean {
  if (fresh === undefined) return false;
  return (
    wanted(fresh) === limits.replicas &&
    numberAnnotation(fresh, DESIRED) === limits.replicas &&
    available(fresh) === limits.replicas
  );
}

/** The part of `left` that falls to this set, by its size against the size that was allowed before. */
function shareOf(set: ReplicaSet, limits: Limits, left: number): number {
  const before = numberAnnotation(set, MAX) ?? limits.replicas;
  const after = limits.replicas + limits.maxSurge;
  const share = Math.round((wanted(set) * after) / Math.max(before, 1)) - wanted(set);
  return left > 0 ? Math.max(0, Math.min(share, left)) : Math.min(0, Math.max(share, left));
}

function changed(target: ReadonlyMap<ReplicaSet, number>): Change[] {
  return [...target]
    .filter(([set, replicas]) => replicas !== wanted(set))
    .map(([set, replicas]) => ({ set, replicas }));
}

/** Oldest first. */
export function byAge(sets: readonly ReplicaSet[]): ReplicaSet[] {
  const key = (set: ReplicaSet) => `${set.metadata?.creationTimestamp ?? ""} ${set.metadata?.name ?? ""}`;
  return [...sets].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
