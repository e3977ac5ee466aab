import { type Clock, formatTime } from "../../../lib/core/clock.ts";
import { StatusError } from "../../../lib/core/status-error.ts";
import { labelSelectorFromObject } from "../../../lib/resource/selector/label-selector.ts";
import type { WatchCache } from "../cache/watch-cache.ts";
import { type Answer, statusView } from "../core/answer.ts";
import type { Committer, WritePlan } from "../core/committer.ts";
import { copyOf, isRecord, type KubeObject, structAt, textAt, valueAt } from "../core/kube-object.ts";
import type { Machinery } from "../core/machinery.ts";
import type { Reader } from "../core/reader.ts";
import type { Body, Call, DeleteRequest, Target, WriteOptions } from "../core/request.ts";
import { commitOptions, type ResourceCore, type SubresourceHandler } from "../core/resource-core.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import type { ServedKind } from "../core/stored-kind.ts";
import type { WritePipeline } from "../core/write-pipeline.ts";

/** `pods/NAME/eviction`: a delete that a PodDisruptionBudget may refuse. Pod and budget change in one transaction. */
export class Eviction implements SubresourceHandler {
  readonly #parts: EvictionComponents;

  constructor(components: EvictionComponents) {
    this.#parts = components;
  }

  async create(target: Target, body: Body, options: WriteOptions, call: Call): Promise<Answer> {
    const { machinery, kind, core, reader, committer, statusCodec, pipeline } = this.#parts;
    const eviction = copyOf(machinery.decode(kind, body).object);
    await pipeline.admitSubresource(eviction, target, call, options.dryRun);
    const pod: Target = { ...target, subresource: "" };
    const request = deleteRequest(eviction, options);
    const current = await reader.get(pod, "");
    const plans: WritePlan[] = [core.plans.delete(pod, request, call)];
    if (needsBudget(current.object())) plans.push(...this.#budgets(current.object(), target.namespace, target.name));
    if (plans.length > 2) {
      const message =
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
      throw new StatusError(500, "InternalError", message);
    }
    await committer.commit(plans, commitOptions({ ...options, dryRun: request.dryRun }, call));
    const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 } as const;
    return { code: 201, view: statusView(status, target.kind, statusCodec) };
  }

  #budgets(pod: KubeObject, namespace: string, podName: string): WritePlan[] {
    const { cache, budgets, clock } = this.#parts;
    const plans: WritePlan[] = [];
    for (const budget of cache.of(budgets.stored).range(namespace)) {
      const selector = valueAt(budget.object(), "spec", "selector");
      if (!isRecord(selector) || !labelSelectorFromObject(selector).matches(pod.metadata?.labels)) continue;
      plans.push({
        kind: budgets,
        namespace,
        name: budget.name,
        decide: async (current) => {
          if (current === undefined) return { type: "keep" };
          return { type: "put", object: withOneLess(current.object(), podName, clock) };
        },
      });
    }
    return plans;
  }
}

export interface EvictionComponents {
  readonly core: ResourceCore;
  readonly committer: Committer;
  readonly reader: Reader;
  readonly cache: WatchCache;
  readonly machinery: Machinery;
  readonly pipeline: WritePipeline;
  readonly statusCodec: StatusCodec;
  readonly clock: Clock;
  /** policy/v1 Eviction. */
  readonly kind: ServedKind;
  /** policy/v1 PodDisruptionBudget. */
  readonly budgets: ServedKind;
}

/** Pods that do not run, or are going anyway, take nothing from a budget. */
function needsBudget(pod: KubeObject): boolean {
  const phase = textAt(pod, "status", "phase");
  return (
    pod.metadata?.deletionTimestamp === undefined && phase !== "Succeeded" && phase !== "Failed" && phase !== "Pending"
  );
}

function withOneLess(budget: KubeObject, podName: string, clock: Clock): KubeObject {
  const allowed = Number(valueAt(budget, "status", "disruptionsAllowed") ?? 0);
  const observed = Number(valueAt(budget, "status", "observedGeneration") ?? 0);
  if (allowed <= 0 || observed < Number(budget.metadata?.generation ?? 0)) throw wouldViolate(budget);
  const object = copyOf(budget);
  const status = structAt(object, "status");
  if (allowed === 1) delete status["disruptionsAllowed"];
  else status["disruptionsAllowed"] = allowed - 1;
  const disrupted = isRecord(status["disruptedPods"]) ? status["disruptedPods"] : {};
  status["disruptedPods"] = { ...disrupted, [podName]: formatTime(clock.nowMs()) };
  return object;
}

function wouldViolate(budget: KubeObject): StatusError {
  const needed = Number(valueAt(budget, "status", "desiredHealthy") ?? 0);
  const healthy = Number(valueAt(budget, "status", "currentHealthy") ?? 0);
  const cause = {
    reason: "DisruptionBudget",
    message: `The disruption budget ${budget.metadata?.name} needs ${needed} healthy pods and has ${healthy} currently`,
  };
  const message = "Cannot evict pod as it would violate the pod's disruption budget.";
  return new StatusError(429, "TooManyRequests", message, { causes: [cause] });
}

function deleteRequest(eviction: KubeObject, options: WriteOptions): DeleteRequest {
  const sent = eviction["deleteOptions"];
  const grace = valueAt(sent, "gracePeriodSeconds");
  const uid = textAt(sent, "preconditions", "uid");
  const version = textAt(sent, "preconditions", "resourceVersion");
  const dryRun = valueAt(sent, "dryRun");
  return {
    dryRun: options.dryRun || (Array.isArray(dryRun) && dryRun.includes("All")),
    ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(uid === "" ? {} : { uid }),
    ...(version === "" ? {} : { resourceVersion: version }),
  };
}
