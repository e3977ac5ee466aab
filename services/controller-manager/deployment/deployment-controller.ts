import { controllerOf, joinKey, keyOf } from "../../../lib/client/api-object.ts";
import { Controller, type Later } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { PendingWrites } from "../../../lib/controller/pending-writes.ts";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { deployments, pods, replicaSets } from "../../../lib/gen/k8s/resources.ts";
import { labelSelectorFromObject } from "../../../lib/resource/selector/label-selector.ts";
import type { ControllerFactory } from "../manager-context.ts";
import { BY_NAMESPACE, byNamespace } from "../ownership/by-namespace.ts";
import { claim } from "../ownership/claim.ts";
import { hasEnded } from "../ownership/pod-state.ts";
import { deadlineInMs, isComplete, statusOf } from "./deployment-status.ts";
import { RevisionSets } from "./revision-sets.ts";
import {
  allToZero,
  type Change,
  isScaling,
  type Limits,
  limitsOf,
  proportionalStep,
  rollingStep,
} from "./rollout-plan.ts";

const UNSETTLED_MS = 1_000;

/** Moves the pods of a Deployment to its present template by ReplicaSets, one per template. Keys are Deployments. */
export const deploymentController: ControllerFactory = (context) => {
  const { api, clock, informers } = context;
  const all = informers.of(deployments);
  const sets = informers.of(replicaSets);
  const allPods = informers.of(pods);
  sets.store.addIndex(BY_NAMESPACE, byNamespace);
  allPods.store.addIndex(BY_NAMESPACE, byNamespace);
  all.store.addIndex(BY_NAMESPACE, byNamespace);
  const pending = new PendingWrites({ api });
  const recorder = context.recorder("deployment-controller");
  const revisions = new RevisionSets({ api, sets, pending, recorder });
  const options = { name: "deployment", workers: 5, whenSynced: allSynced([all, sets, allPods]) };

  const controller = new Controller(context, options, async (key): Promise<Later | undefined> => {
    const deployment = all.store.get(key);
    if (deployment === undefined) {
      pending.forget(key);
      return undefined;
    }
    if (!pending.settled(key)) return { afterMs: UNSETTLED_MS };
    const selector = labelSelectorFromObject(deployment.spec?.selector);
    if (selector.isEverything) return undefined;
    const claimant = { key, ref: deployments, object: deployment, selector };
    const candidates = sets.store.byIndex(BY_NAMESPACE, deployment.metadata?.namespace ?? "");
    const mine = await claim({ api, children: sets, pending }, claimant, candidates);
    return step(key, deployment, mine);
  });

  const step = async (key: string, deployment: Deployment, mine: readonly ReplicaSet[]): Promise<Later | undefined> => {
    const limits = limitsOf(deployment);
    const found = revisions.find(deployment, mine);
    const old = mine.filter((set) => set !== found);
    const isDying = deployment.metadata?.deletionTimestamp !== undefined;
    const { fresh, collisionCount } = isDying
      ? { fresh: found, collisionCount: deployment.status?.collisionCount }
      : await present(key, deployment, found, old, limits);
    if (!isDying && fresh === found) await size(key, deployment, fresh, old, limits);
    const created = found === undefined && fresh !== undefined;
    const facts = { fresh, old, created, collisionCount, nowMs: clock.nowMs() };
    const status = statusOf(deployment, facts);
    if (!isDying && isComplete(deployment, status)) await revisions.clearHistory(key, deployment, old);
    const current = fresh === undefined ? deployment : await revisions.tellRevision(key, deployment, all, fresh);
    await writeStatus(key, current, status);
    const afterMs = deadlineInMs(deployment, status, clock.nowMs());
    return afterMs === undefined ? undefined : { afterMs };
  };

  /** The set of the present template, made if it may be made now; a name taken by another template counts as a collision. */
  const present = async (
    key: string,
    deployment: Deployment,
    found: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
    limits: Limits,
  ): Promise<{ fresh: ReplicaSet | undefined; collisionCount: number | undefined }> => {
    const { collisionCount } = deployment.status ?? {};
    if (found !== undefined) return { fresh: await revisions.adjust(key, deployment, found, old), collisionCount };
    if (deployment.spec?.paused === true || !mayBegin(deployment, old)) return { fresh: undefined, collisionCount };
    const made = await revisions.make(key, deployment, old, limits);
    return { fresh: made, collisionCount: made === undefined ? (collisionCount ?? 0) + 1 : collisionCount };
  };

  const size = async (
    key: string,
    deployment: Deployment,
    fresh: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
    limits: Limits,
  ): Promise<void> => {
    const isRolling = deployment.spec?.strategy?.type !== "Recreate";
    const every = fresh === undefined ? old : [...old, fresh];
    const scaling = deployment.spec?.paused === true || isScaling(limits, every);
    let changes: Change[] = [];
    if (scaling) changes = proportionalStep(limits, fresh, old, isRolling);
    else if (!isRolling) changes = recreateStep(limits, fresh, old);
    else if (fresh !== undefined) changes = rollingStep(limits, fresh, old);
    for (const change of changes) await revisions.resize(key, deployment, change, limits);
    const untouched = every.filter((set) => !changes.some((change) => change.set === set));
    if (scaling) await revisions.noteSize(key, deployment, untouched, limits);
  };

  const recreateStep = (limits: Limits, fresh: ReplicaSet | undefined, old: readonly ReplicaSet[]): Change[] => {
    const ends = allToZero(old);
    if (ends.length > 0 || fresh === undefined || fresh.spec?.replicas === limits.replicas) return ends;
    return podsOf(old).length > 0 ? [] : [{ set: fresh, replicas: limits.replicas }];
  };

  /** Recreate makes the new set only when no pod of an old one is left. */
  const mayBegin = (deployment: Deployment, old: readonly ReplicaSet[]): boolean =>
    deployment.spec?.strategy?.type !== "Recreate" || (allToZero(old).length === 0 && podsOf(old).length === 0);

  const podsOf = (owners: readonly ReplicaSet[]): Pod[] => {
    const uids = new Set(owners.map((owner) => owner.metadata?.uid));
    const namespace = owners[0]?.metadata?.namespace ?? "";
    return allPods.store
      .byIndex(BY_NAMESPACE, namespace)
      .filter((pod) => uids.has(controllerOf(pod)?.uid) && !hasEnded(pod));
  };

  const writeStatus = async (key: string, deployment: Deployment, status: DeploymentStatus): Promise<void> => {
    if (statusText(status) === statusText(deployment.status ?? {})) return;
    const written = await api.update(deployments, { ...deployment, status }, { subresource: "status" });
    pending.wrote(key, all, written);
  };

  const enqueue = (deployment: Deployment) => controller.queue.add(keyOf(deployment));
  all.addHandler({ added: enqueue, updated: enqueue, deleted: enqueue });
  const wakeOwner = (set: ReplicaSet) => {
    const owner = controllerOf(set);
    const { namespace = "" } = set.metadata ?? {};
    if (owner?.kind === "Deployment") controller.queue.add(joinKey(namespace, owner.name ?? ""));
    if (owner !== undefined) return;
    for (const deployment of all.store.byIndex(BY_NAMESPACE, namespace)) {
      if (labelSelectorFromObject(deployment.spec?.selector).matches(set.metadata?.labels)) enqueue(deployment);
    }
  };
  sets.addHandler({
    added: wakeOwner,
    updated: (set, before) => {
      if (controllerOf(before)?.uid !== controllerOf(set)?.uid) wakeOwner(before);
      wakeOwner(set);
    },
    deleted: wakeOwner,
  });
  const wakeRecreating = (pod: Pod) => {
    const owner = controllerOf(pod);
    const set = sets.store.get(joinKey(pod.metadata?.namespace, owner?.name ?? ""));
    const deployment = all.store.get(joinKey(pod.metadata?.namespace, (set && controllerOf(set)?.name) ?? ""));
    if (deployment?.spec?.strategy?.type === "Recreate") enqueue(deployment);
  };
  allPods.addHandler({
    updated: (pod, before) => {
      if (hasEnded(pod) && !hasEnded(before)) wakeRecreating(pod);
    },
    deleted: wakeRecreating,
  });
  return controller;
};

/** Equal texts mean that nothing is to be written. */
function statusText(status: DeploymentStatus): string {
  const { conditions = [], ...counts } = status;
  const sorted = [...conditions].sort((a, b) => ((a.type ?? "") < (b.type ?? "") ? -1 : 1));
  const fields = sorted.map(({ type, status: state, reason, message, lastUpdateTime }) => [
    type,
    state,
    reason,
    message,
    lastUpdateTime,
  ]);
  const numbers = Object.entries(counts)
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return JSON.stringify([numbers, fields]);
}
