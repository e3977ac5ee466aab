import { type ApiObject, keyOf } from "../../../lib/client/api-object.ts";
import { Controller, type Later } from "../../../lib/controller/controller.ts";
import type { Informer } from "../../../lib/controller/informer.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { formatTime, parseTimeMs } from "../../../lib/core/clock.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import type { Condition } from "../../../lib/gen/k8s/meta/v1.ts";
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from "../../../lib/gen/k8s/policy/v1.ts";
import {
  deployments,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  statefulSets,
} from "../../../lib/gen/k8s/resources.ts";
import { labelSelectorFromObject } from "../../../lib/resource/selector/label-selector.ts";
import type { ControllerFactory } from "../manager-context.ts";
import { BY_NAMESPACE, byNamespace } from "../ownership/by-namespace.ts";
import { hasEnded, isReady } from "../ownership/pod-state.ts";
import { type Need, NeedUnknownError, needOf, type Scaled } from "./expected-pods.ts";

/** An eviction that has not begun to delete its pod for this long has failed; upstream's figure. */
const EVICTION_TIMEOUT_MS = 120_000;

/**
 * Keeps the status of PodDisruptionBudgets, by which the API server grants evictions. The status is written on the very
 * version that was read: an eviction granted meanwhile makes it a conflict, so that no grant is counted twice
 * (invariant 38). Keys are budgets.
 */
export const disruptionController: ControllerFactory = (context) => {
  const { api, clock, informers } = context;
  const budgets = informers.of(podDisruptionBudgets);
  const allPods = informers.of(pods);
  budgets.store.addIndex(BY_NAMESPACE, byNamespace);
  allPods.store.addIndex(BY_NAMESPACE, byNamespace);
  const owners = new Map<string, Informer<ApiObject>>();
  for (const ref of [replicaSets, deployments, statefulSets, replicationControllers])
    owners.set(ref.kind, informers.of<ApiObject>(ref));
  const find = (kind: string, key: string) => owners.get(kind)?.store.get(key) as Scaled | undefined;
  const whenSynced = allSynced([budgets, allPods, ...owners.values()]);
  const options = { name: "disruption", workers: 4, whenSynced };

  const controller = new Controller(context, options, async (key): Promise<Later | undefined> => {
    const budget = budgets.store.get(key);
    if (budget === undefined) return undefined;
    const selector = labelSelectorFromObject(budget.spec?.selector);
    const mine = allPods.store
      .byIndex(BY_NAMESPACE, budget.metadata?.namespace ?? "")
      .filter((pod) => selector.matches(pod.metadata?.labels) && !hasEnded(pod));
    const { status, againMs } = statusOf(budget, mine, find, clock.nowMs());
    if (statusText(status) !== statusText(budget.status ?? {}))
      await api.update(podDisruptionBudgets, { ...budget, status }, { subresource: "status" });
    return againMs === undefined ? undefined : { afterMs: againMs };
  });

  const enqueue = (budget: PodDisruptionBudget) => controller.queue.add(keyOf(budget));
  budgets.addHandler({ added: enqueue, updated: enqueue });
  const wakeFor = (pod: Pod) => {
    for (const budget of budgets.store.byIndex(BY_NAMESPACE, pod.metadata?.namespace ?? "")) {
      if (labelSelectorFromObject(budget.spec?.selector).matches(pod.metadata?.labels)) enqueue(budget);
    }
  };
  allPods.addHandler({
    added: wakeFor,
    updated: (pod, old) => {
      wakeFor(pod);
      if (pod.metadata?.labels !== old.metadata?.labels) wakeFor(old);
    },
    deleted: wakeFor,
  });
  const wakeNamespace = (owner: ApiObject) => {
    for (const budget of budgets.store.byIndex(BY_NAMESPACE, owner.metadata?.namespace ?? "")) enqueue(budget);
  };
  for (const informer of owners.values())
    informer.addHandler({ added: wakeNamespace, updated: wakeNamespace, deleted: wakeNamespace });
  return controller;
};

/** The status, and in how many milliseconds a granted eviction times out. */
export function statusOf(
  budget: PodDisruptionBudget,
  mine: readonly Pod[],
  find: (kind: string, key: string) => Scaled | undefined,
  nowMs: number,
): { status: PodDisruptionBudgetStatus; againMs: number | undefined } {
  const { disrupted, againMs } = stillDisrupted(budget, mine, nowMs);
  const isHealthy = (pod: Pod) =>
    pod.metadata?.deletionTimestamp === undefined &&
    !Object.hasOwn(disrupted, pod.metadata?.name ?? "") &&
    isReady(pod);
  const healthy = mine.filter(isHealthy).length;
  let need: Need = { expected: 0, desired: 0 };
  let unknown: string | undefined;
  try {
    need = needOf(budget, mine, find);
  } catch (thrown) {
    if (!(thrown instanceof NeedUnknownError)) throw thrown;
    unknown = thrown.message;
  }
  const isCounted = unknown === undefined && need.expected > 0;
  const allowed = isCounted ? Math.max(0, healthy - need.desired) : 0;
  const counts = {
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: need.desired,
    expectedPods: need.expected,
  };
  const { generation } = budget.metadata ?? {};
  const status: PodDisruptionBudgetStatus = {
    ...counts,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    conditions: [condition(budget, allowed, unknown, nowMs)],
  };
  return { status: inNormalForm(status), againMs };
}

/** Zero is absent. */
function inNormalForm(status: PodDisruptionBudgetStatus): PodDisruptionBudgetStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0));
}

/** Evictions granted for pods that are there and not yet being deleted. */
function stillDisrupted(
  budget: PodDisruptionBudget,
  mine: readonly Pod[],
  nowMs: number,
): { disrupted: Record<string, string>; againMs: number | undefined } {
  const disrupted: Record<string, string> = {};
  let againMs: number | undefined;
  for (const [name, since] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = mine.find((candidate) => candidate.metadata?.name === name);
    const leftMs = parseTimeMs(since) + EVICTION_TIMEOUT_MS - nowMs;
    if (pod === undefined || pod.metadata?.deletionTimestamp !== undefined || leftMs <= 0) continue;
    disrupted[name] = since;
    againMs = Math.min(againMs ?? leftMs, leftMs);
  }
  return { disrupted, againMs };
}

function condition(
  budget: PodDisruptionBudget,
  allowed: number,
  unknown: string | undefined,
  nowMs: number,
): Condition {
  const status = allowed > 0 ? "True" : "False";
  const reason = unknown !== undefined ? "SyncFailed" : allowed > 0 ? "SufficientPods" : "InsufficientPods";
  const old = budget.status?.conditions?.find((candidate) => candidate.type === "DisruptionAllowed");
  const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? formatTime(nowMs)) : formatTime(nowMs);
  const { generation } = budget.metadata ?? {};
  return {
    type: "DisruptionAllowed",
    status,
    reason,
    ...(unknown === undefined ? {} : { message: unknown }),
    lastTransitionTime,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

function statusText(status: PodDisruptionBudgetStatus): string {
  const { conditions = [], ...rest } = status;
  const told = conditions.map(({ type, status: state, reason, message }) => [type, state, reason, message]);
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value, bigintText)}`);
  return JSON.stringify([fields.sort(), told]);
}

function bigintText(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
