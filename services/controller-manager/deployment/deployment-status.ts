import { formatTime, parseTimeMs } from "../../../lib/core/clock.ts";
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";
import { limitsOf, sum, wanted } from "./rollout-plan.ts";

const NO_DEADLINE_SECONDS = 2_147_483_647;

export interface RolloutFacts {
  readonly fresh: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  /** The ReplicaSet of the present template was made in this step. */
  readonly created: boolean;
  readonly collisionCount: number | undefined;
  readonly nowMs: number;
}

/** What is true of a Deployment with these ReplicaSets; reasons and messages are upstream's, since tools read them. */
export function statusOf(deployment: Deployment, facts: RolloutFacts): DeploymentStatus {
  const { fresh, old, collisionCount } = facts;
  const all = fresh === undefined ? [...old] : [...old, fresh];
  const available = sum(all, (set) => set.status?.availableReplicas ?? 0);
  const unavailable = Math.max(0, sum(all, wanted) - available);
  const counts = {
    replicas: sum(all, (set) => set.status?.replicas ?? 0),
    updatedReplicas: fresh?.status?.replicas ?? 0,
    readyReplicas: sum(all, (set) => set.status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: unavailable,
  };
  const { generation } = deployment.metadata ?? {};
  const status: DeploymentStatus = {
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    ...(all.some((set) => set.status?.terminatingReplicas !== undefined)
      ? { terminatingReplicas: sum(all, (set) => set.status?.terminatingReplicas ?? 0) }
      : {}),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
  const conditions = [
    availableCondition(deployment, available),
    ...progressCondition(deployment, status, facts),
    ...failureCondition(all),
  ];
  const dated = conditions.map((condition) => withTimes(condition, deployment.status?.conditions ?? [], facts.nowMs));
  return { ...status, conditions: dated };
}

/** All pods are of the present template and available, and nothing else is left. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const { replicas = 1 } = deployment.spec ?? {};
  const { updatedReplicas = 0, availableReplicas = 0, observedGeneration = 0 } = status;
  return (
    updatedReplicas === replicas &&
    (status.replicas ?? 0) === replicas &&
    availableReplicas === replicas &&
    BigInt(observedGeneration) >= BigInt(deployment.metadata?.generation ?? 0)
  );
}

function availableCondition(deployment: Deployment, available: number): DeploymentCondition {
  const { replicas, maxUnavailable } = limitsOf(deployment);
  return available >= replicas - maxUnavailable
    ? made("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    : made("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.");
}

function progressCondition(
  deployment: Deployment,
  status: DeploymentStatus,
  facts: RolloutFacts,
): DeploymentCondition[] {
  const { progressDeadlineSeconds = NO_DEADLINE_SECONDS, paused } = deployment.spec ?? {};
  if (progressDeadlineSeconds === NO_DEADLINE_SECONDS) return [];
  const before = progressingOf(deployment);
  const keep = before === undefined ? [] : [before];
  if (paused === true)
    return before?.reason === "ProgressDeadlineExceeded"
      ? keep
      : [made("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")];
  const { fresh, created } = facts;
  const name = fresh?.metadata?.name ?? "";
  if (isComplete(deployment, status))
    return [made("Progressing", "True", "NewReplicaSetAvailable", `ReplicaSet "${name}" has successfully progressed.`)];
  if (created) return [made("Progressing", "True", "NewReplicaSetCreated", `Created new replica set "${name}"`)];
  if (before?.reason === "DeploymentPaused")
    return [made("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")];
  const wasComplete = before?.reason === "NewReplicaSetAvailable";
  if (hasProgressed(deployment.status ?? {}, status) || (before === undefined && fresh !== undefined))
    return wasComplete && isUpdated(status)
      ? keep
      : [made("Progressing", "True", "ReplicaSetUpdated", `ReplicaSet "${name}" is progressing.`, true)];
  if (before === undefined || wasComplete || before.reason === "ProgressDeadlineExceeded") return keep;
  const sinceMs = parseTimeMs(before.lastUpdateTime ?? "");
  if (facts.nowMs - sinceMs < progressDeadlineSeconds * 1_000) return keep;
  return [made("Progressing", "False", "ProgressDeadlineExceeded", `ReplicaSet "${name}" has timed out progressing.`)];
}

/** Milliseconds until the deadline would pass; undefined when it does not run. */
export function deadlineInMs(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const { progressDeadlineSeconds = NO_DEADLINE_SECONDS, paused } = deployment.spec ?? {};
  const progressing = status.conditions?.find((condition) => condition.type === "Progressing");
  if (progressDeadlineSeconds === NO_DEADLINE_SECONDS || paused === true || progressing === undefined) return undefined;
  if (progressing.reason === "NewReplicaSetAvailable" || progressing.reason === "ProgressDeadlineExceeded")
    return undefined;
  const passedMs = nowMs - parseTimeMs(progressing.lastUpdateTime ?? "");
  return Math.max(1_000, progressDeadlineSeconds * 1_000 - passedMs + 1_000);
}

function isUpdated(status: DeploymentStatus): boolean {
  return (status.replicas ?? 0) === (status.updatedReplicas ?? 0);
}

function hasProgressed(before: DeploymentStatus, now: DeploymentStatus): boolean {
  const oldOnes = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldOnes(now) < oldOnes(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function failureCondition(all: readonly ReplicaSet[]): DeploymentCondition[] {
  for (const set of [...all].reverse()) {
    const failure = set.status?.conditions?.find((condition) => condition.type === "ReplicaFailure");
    if (failure !== undefined)
      return [made("ReplicaFailure", failure.status ?? "True", failure.reason ?? "", failure.message ?? "")];
  }
  return [];
}

function progressingOf(deployment: Deployment): DeploymentCondition | undefined {
  return deployment.status?.conditions?.find((condition) => condition.type === "Progressing");
}

/** `renewed` marks a condition that says the same again with news: its update time moves. */
type Made = DeploymentCondition & { renewed?: boolean };

function made(type: string, status: string, reason: string, message: string, renewed = false): Made {
  return { type, status, reason, message, ...(renewed ? { renewed } : {}) };
}

function withTimes(
  { renewed, ...condition }: Made,
  before: readonly DeploymentCondition[],
  nowMs: number,
): DeploymentCondition {
  const now = formatTime(nowMs);
  const old = before.find((candidate) => candidate.type === condition.type);
  if (old === undefined || old.status !== condition.status)
    return { ...condition, lastUpdateTime: now, lastTransitionTime: now };
  if (old.reason === condition.reason && old.message === condition.message && renewed !== true) return old;
  const lastTransitionTime = old.lastTransitionTime ?? now;
  return { ...condition, lastUpdateTime: now, lastTransitionTime };
}
