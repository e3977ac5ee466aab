import { keyOf } from "../../../lib/client/api-object.ts";
import { Controller } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { formatTime } from "../../../lib/core/clock.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { nodes, pods } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerFactory, ManagerContext } from "../manager-context.ts";
import { hasEnded } from "../ownership/pod-state.ts";

/** Upstream's defaults: how often, how long a node must be missing, how many ended pods are kept. */
const PERIOD_MS = 20_000;
const MISSING_NODE_MS = 40_000;
const ENDED_PODS_MAX = 12_500;
const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service";
const ROUND = "round";

/**
 * Takes away pods that no node will report about any more: of nodes that are gone or out of service, ended before they got a
 * node, and the oldest of very many that have ended.
 */
export const podGarbageCollector: ControllerFactory = (context) => {
  const { api, clock, informers } = context;
  const allPods = informers.of(pods);
  const allNodes = informers.of(nodes);
  const missingSince = new Map<string, number>();
  const options = { name: "pod-garbage-collector", whenSynced: allSynced([allPods, allNodes]) };

  /** Missing in the cache for long enough, and then to a live read too. */
  const isGone = async (name: string): Promise<boolean> => {
    if (allNodes.store.get(name) !== undefined) {
      missingSince.delete(name);
      return false;
    }
    const sinceMs = missingSince.get(name) ?? clock.monotonicMs();
    missingSince.set(name, sinceMs);
    if (clock.monotonicMs() - sinceMs < MISSING_NODE_MS) return false;
    try {
      await api.get(nodes, { name });
      return false;
    } catch (thrown) {
      if (asStatusError(thrown).code === 404) return true;
      throw thrown;
    }
  };

  const controller = new Controller(context, options, async () => {
    const all = allPods.store.list();
    const named = new Set(all.map((pod) => pod.spec?.nodeName ?? ""));
    for (const name of missingSince.keys()) if (!named.has(name)) missingSince.delete(name);
    named.delete("");
    for (const name of named) {
      if (!(await isGone(name))) continue;
      for (const pod of all.filter((candidate) => candidate.spec?.nodeName === name))
        await remove(context, pod, "PodGC: node no longer exists");
    }
    for (const pod of all.filter((candidate) => candidate.metadata?.deletionTimestamp !== undefined)) {
      const node = allNodes.store.get(pod.spec?.nodeName ?? "");
      if (pod.spec?.nodeName === undefined) await remove(context, pod, undefined);
      else if (node?.spec?.taints?.some((taint) => taint.key === OUT_OF_SERVICE))
        await remove(context, pod, "PodGC: node is out of service");
    }
    for (const pod of surplus(all)) await remove(context, pod, undefined);
    return { afterMs: PERIOD_MS };
  });
  controller.queue.add(ROUND);
  return controller;
};

function surplus(all: readonly Pod[]): Pod[] {
  const ended = all.filter(hasEnded);
  if (ended.length <= ENDED_PODS_MAX) return [];
  const created = (pod: Pod) => `${pod.metadata?.creationTimestamp ?? ""} ${keyOf(pod)}`;
  return ended.sort((a, b) => (created(a) < created(b) ? -1 : 1)).slice(0, ended.length - ENDED_PODS_MAX);
}

/** Nobody will end the pod's containers and say so: it is marked as failed, where it had not ended, and deleted at once. */
async function remove({ api, clock }: ManagerContext, pod: Pod, why: string | undefined): Promise<void> {
  const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
  try {
    if (why !== undefined && !hasEnded(pod)) {
      const lastTransitionTime = formatTime(clock.nowMs());
      const reason = "DeletionByPodGC";
      const condition = { type: "DisruptionTarget", status: "True", reason, message: why, lastTransitionTime };
      const body = { metadata: { uid }, status: { phase: "Failed", conditions: [condition] } };
      await api.patch(pods, { namespace, name }, { type: "strategic", body }, { subresource: "status" });
    }
    await api.delete(pods, { namespace, name }, { uid, gracePeriodSeconds: 0 });
  } catch (thrown) {
    const { code } = asStatusError(thrown);
    if (code !== 404 && code !== 409) throw thrown;
  }
}
