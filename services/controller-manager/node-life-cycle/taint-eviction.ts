import { keyOf } from "../../../lib/client/api-object.ts";
import { Controller, type Later } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { formatTime, parseTimeMs } from "../../../lib/core/clock.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { Node, Pod, Taint, Toleration } from "../../../lib/gen/k8s/core/v1.ts";
import { nodes, pods } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerFactory, ManagerContext } from "../manager-context.ts";
import { BY_NODE, byNode } from "./pods-by-node.ts";

/**
 * Deletes pods from nodes with NoExecute taints: at once where a taint is not tolerated, else when the shortest
 * toleration has run out, counted from when the taint was added. Keys are pods.
 */
export const taintEviction: ControllerFactory = (context) => {
  const { clock, informers } = context;
  const recorder = context.recorder("taint-eviction-controller");
  const allNodes = informers.of(nodes);
  const allPods = informers.of(pods);
  allPods.store.addIndex(BY_NODE, byNode);
  /** Pods that will have to go, and since when. */
  const marked = new Map<string, number>();
  const options = { name: "taint-eviction", workers: 8, whenSynced: allSynced([allNodes, allPods]) };

  const controller = new Controller(context, options, async (key): Promise<Later | undefined> => {
    const pod = allPods.store.get(key);
    const node = allNodes.store.get(pod?.spec?.nodeName ?? "");
    const leaveMs =
      pod === undefined || node === undefined || pod.metadata?.deletionTimestamp !== undefined
        ? undefined
        : leaveAtMs(pod, taintsOf(node), marked.get(key) ?? clock.nowMs());
    if (pod === undefined || leaveMs === undefined) {
      if (marked.delete(key) && pod !== undefined && pod.metadata?.deletionTimestamp === undefined)
        recorder.record(pod, "Normal", "TaintManagerEviction", `Cancelling deletion of Pod ${key}`);
      return undefined;
    }
    const waitMs = leaveMs - clock.nowMs();
    if (waitMs > 0) {
      if (!marked.has(key)) marked.set(key, clock.nowMs());
      return { afterMs: waitMs };
    }
    recorder.record(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${key}`);
    await evict(context, pod);
    marked.delete(key);
    return undefined;
  });

  const enqueueAllOn = (node: Node) => {
    for (const pod of allPods.store.byIndex(BY_NODE, node.metadata?.name ?? "")) controller.queue.add(keyOf(pod));
  };
  allNodes.addHandler({
    added: enqueueAllOn,
    updated: (node, old) => {
      if (JSON.stringify(taintsOf(node)) !== JSON.stringify(taintsOf(old))) enqueueAllOn(node);
    },
  });
  const enqueue = (pod: Pod) => controller.queue.add(keyOf(pod));
  allPods.addHandler({ added: enqueue, updated: enqueue, deleted: enqueue });
  return controller;
};

function taintsOf(node: Node): Taint[] {
  return (node.spec?.taints ?? []).filter((taint) => taint.effect === "NoExecute");
}

/**
 * Wall time at which the pod has to go; undefined when it may stay for good. A taint that does not say when it was added
 * counts from `sinceMs`.
 */
export function leaveAtMs(pod: Pod, taints: readonly Taint[], sinceMs: number): number | undefined {
  let soonestMs = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    const tolerations = (pod.spec?.tolerations ?? []).filter((toleration) => toleratesNoExecute(toleration, taint));
    if (tolerations.length === 0) return sinceMs;
    const addedMs = taint.timeAdded === undefined ? sinceMs : parseTimeMs(taint.timeAdded);
    for (const { tolerationSeconds } of tolerations) {
      if (tolerationSeconds === undefined) continue;
      soonestMs = Math.min(soonestMs, addedMs + Math.max(0, Number(tolerationSeconds)) * 1_000);
    }
  }
  return soonestMs === Number.POSITIVE_INFINITY ? undefined : soonestMs;
}

function toleratesNoExecute(toleration: Toleration, taint: Taint): boolean {
  const { key = "", operator = "Equal", value = "", effect = "" } = toleration;
  if (effect !== "" && effect !== "NoExecute") return false;
  if (key !== "" && key !== taint.key) return false;
  if (operator === "Exists") return true;
  return key !== "" && value === (taint.value ?? "");
}

async function evict({ api, clock }: ManagerContext, pod: Pod): Promise<void> {
  const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
    lastTransitionTime: formatTime(clock.nowMs()),
  };
  try {
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    await api.patch(pods, { namespace, name }, { type: "strategic", body }, { subresource: "status" });
    await api.delete(pods, { namespace, name }, { uid });
  } catch (thrown) {
    if (asStatusError(thrown).code !== 404) throw thrown;
  }
}
