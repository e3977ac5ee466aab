import { controllerOf, joinKey, keyOf } from "../../../lib/client/api-object.ts";
import { Controller, type Later } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { PendingWrites } from "../../../lib/controller/pending-writes.ts";
import type { ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { pods, replicaSets } from "../../../lib/gen/k8s/resources.ts";
import { labelSelectorFromObject } from "../../../lib/resource/selector/label-selector.ts";
import type { ControllerFactory } from "../manager-context.ts";
import { BY_NAMESPACE, byNamespace } from "../ownership/by-namespace.ts";
import { claim } from "../ownership/claim.ts";
import { availableInMs, deletionOrder, isActive } from "../ownership/pod-state.ts";
import { PodScaler } from "./pod-scaler.ts";
import { statusOf, writeStatus } from "./replica-set-status.ts";

/** A write that the caches do not show yet wakes its owner by its event; this is the net under that. */
const UNSETTLED_MS = 1_000;

/** Keeps as many pods of a ReplicaSet as it asks for. Keys are ReplicaSets. */
export const replicaSetController: ControllerFactory = (context) => {
  const { api, clock, informers } = context;
  const sets = informers.of(replicaSets);
  const allPods = informers.of(pods);
  allPods.store.addIndex(BY_NAMESPACE, byNamespace);
  sets.store.addIndex(BY_NAMESPACE, byNamespace);
  const pending = new PendingWrites({ api });
  const recorder = context.recorder("replicaset-controller");
  const scaler = new PodScaler({ api, pods: allPods, pending, recorder });
  const options = { name: "replicaset", workers: 5, whenSynced: allSynced([sets, allPods]) };

  const controller = new Controller(context, options, async (key): Promise<Later | undefined> => {
    const set = sets.store.get(key);
    if (set === undefined) {
      pending.forget(key);
      return undefined;
    }
    if (!pending.settled(key)) return { afterMs: UNSETTLED_MS };
    const claimant = {
      key,
      ref: replicaSets,
      object: set,
      selector: labelSelectorFromObject(set.spec?.selector),
    };
    const candidates = allPods.store.byIndex(BY_NAMESPACE, set.metadata?.namespace ?? "");
    const mine = await claim({ api, children: allPods, pending }, claimant, candidates);
    const active = mine.filter(isActive);
    const failure =
      set.metadata?.deletionTimestamp === undefined ? await scale(key, set, active, allPods.store.list()) : undefined;
    const status = statusOf(set, mine, { nowMs: clock.nowMs(), failure });
    const written = await writeStatus(api, set, status);
    if (written !== undefined) pending.wrote(key, sets, written);
    if (failure !== undefined) throw failure.cause;
    return soonestAvailable(active, set.spec?.minReadySeconds ?? 0, clock.nowMs());
  });

  const scale = (key: string, set: ReplicaSet, active: readonly Pod[], all: readonly Pod[]) => {
    const lacking = (set.spec?.replicas ?? 1) - active.length;
    if (lacking > 0) return scaler.create(key, set, lacking);
    if (lacking === 0) return Promise.resolve(undefined);
    const related = siblingsOf(set, sets.store.list());
    const siblings = all.filter((pod) => isActive(pod) && related.has(controllerOf(pod)?.uid ?? ""));
    return scaler.remove(key, set, deletionOrder(active, siblings).slice(0, -lacking));
  };

  sets.addHandler({
    added: (set) => controller.queue.add(keyOf(set)),
    updated: (set) => controller.queue.add(keyOf(set)),
    deleted: (set) => controller.queue.add(keyOf(set)),
  });
  const wakeOwner = (pod: Pod) => {
    const owner = controllerOf(pod);
    const { namespace } = pod.metadata ?? {};
    if (owner !== undefined) {
      if (owner.kind === "ReplicaSet") controller.queue.add(joinKey(namespace, owner.name ?? ""));
      return;
    }
    for (const set of sets.store.byIndex(BY_NAMESPACE, namespace ?? "")) {
      if (labelSelectorFromObject(set.spec?.selector).matches(pod.metadata?.labels)) controller.queue.add(keyOf(set));
    }
  };
  allPods.addHandler({
    added: wakeOwner,
    updated: (pod, old) => {
      if (controllerOf(old)?.uid !== controllerOf(pod)?.uid) wakeOwner(old);
      wakeOwner(pod);
    },
    deleted: wakeOwner,
  });
  return controller;
};

/** ReplicaSets of one Deployment count as one when pods that share a node are sought. */
function siblingsOf(set: ReplicaSet, all: readonly ReplicaSet[]): Set<string> {
  const owner = controllerOf(set)?.uid;
  const related = owner === undefined ? [set] : all.filter((other) => controllerOf(other)?.uid === owner);
  return new Set(related.map((other) => other.metadata?.uid ?? ""));
}

function soonestAvailable(active: readonly Pod[], minReadySeconds: number, nowMs: number): Later | undefined {
  const waits = active.map((pod) => availableInMs(pod, minReadySeconds, nowMs) ?? 0).filter((waitMs) => waitMs > 0);
  return waits.length === 0 ? undefined : { afterMs: Math.min(...waits) };
}
