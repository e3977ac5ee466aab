import type { ApiClient } from "../../../lib/client/api-client.ts";
import { formatTime } from "../../../lib/core/clock.ts";
import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from "../../../lib/gen/k8s/apps/v1.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { replicaSets } from "../../../lib/gen/k8s/resources.ts";
import { labelSelectorFromMap } from "../../../lib/resource/selector/label-selector.ts";
import { availableInMs, hasEnded, isActive, isReady } from "../ownership/pod-state.ts";
import type { ScaleFailure } from "./pod-scaler.ts";

/** What is true of a ReplicaSet with these pods. */
export function statusOf(
  set: ReplicaSet,
  mine: readonly Pod[],
  facts: { nowMs: number; failure: ScaleFailure | undefined },
): ReplicaSetStatus {
  const active = mine.filter(isActive);
  const template = labelSelectorFromMap(set.spec?.template?.metadata?.labels);
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const available = active.filter((pod) => availableInMs(pod, minReadySeconds, facts.nowMs) === 0);
  const ending = mine.filter((pod) => pod.metadata?.deletionTimestamp !== undefined && !hasEnded(pod));
  const conditions = conditionsOf(set, facts);
  const { generation } = set.metadata ?? {};
  return {
    ...counted("fullyLabeledReplicas", active.filter((pod) => template.matches(pod.metadata?.labels)).length),
    ...counted("replicas", active.length),
    ...counted("readyReplicas", active.filter(isReady).length),
    ...counted("availableReplicas", available.length),
    terminatingReplicas: ending.length,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

/** Zero is absent for these: normal form. */
function counted<K extends string>(name: K, count: number): { [name in K]?: number } {
  return count === 0 ? {} : ({ [name]: count } as { [name in K]?: number });
}

function conditionsOf(
  set: ReplicaSet,
  { nowMs, failure }: { nowMs: number; failure: ScaleFailure | undefined },
): ReplicaSetCondition[] {
  const before = set.status?.conditions ?? [];
  const others = before.filter((condition) => condition.type !== "ReplicaFailure");
  if (failure === undefined) return others;
  const old = before.find((condition) => condition.type === "ReplicaFailure" && condition.status === "True");
  const lastTransitionTime = old?.lastTransitionTime ?? formatTime(nowMs);
  const { reason, cause } = failure;
  return [...others, { type: "ReplicaFailure", status: "True", reason, message: cause.message, lastTransitionTime }];
}

/** Writes only what changed; answers the object as written. */
export async function writeStatus(
  api: ApiClient,
  set: ReplicaSet,
  status: ReplicaSetStatus,
): Promise<ReplicaSet | undefined> {
  if (comparable(set.status ?? {}) === comparable(status)) return undefined;
  return api.update(replicaSets, { ...set, status }, { subresource: "status" });
}

function comparable(status: ReplicaSetStatus): string {
  const { replicas = 0, fullyLabeledReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  const { terminatingReplicas = 0, observedGeneration = 0, conditions = [] } = status;
  const numbers = [replicas, fullyLabeledReplicas, readyReplicas, availableReplicas, terminatingReplicas];
  return JSON.stringify([numbers, String(observedGeneration), conditions]);
}
