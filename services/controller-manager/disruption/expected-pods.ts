import { type ApiObject, controllerOf, joinKey } from "../../../lib/client/api-object.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import type { PodDisruptionBudget } from "../../../lib/gen/k8s/policy/v1.ts";

/** Whatever sizes pods by `spec.replicas`. */
export interface Scaled extends ApiObject {
  readonly spec?: { readonly replicas?: number };
}

/** Looks an owner up by kind and `namespace/name`. */
export type FindOwner = (kind: string, key: string) => Scaled | undefined;

export interface Need {
  /** How many pods there should be. */
  readonly expected: number;
  /** How many of them must be healthy. */
  readonly desired: number;
}

/** A budget whose need cannot be told allows nothing. */
export class NeedUnknownError extends Error {}

/**
 * What a budget asks for. A number for minAvailable counts the pods that are there; percentages and maxUnavailable count the
 * pods that their owners want, so that a missing pod is a disruption too.
 */
export function needOf(budget: PodDisruptionBudget, pods: readonly Pod[], find: FindOwner): Need {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  if (maxUnavailable !== undefined) {
    const expected = wantedByOwners(pods, find);
    return { expected, desired: Math.max(0, expected - share(maxUnavailable, expected)) };
  }
  if (typeof minAvailable === "string") {
    const expected = wantedByOwners(pods, find);
    return { expected, desired: share(minAvailable, expected) };
  }
  return { expected: pods.length, desired: minAvailable ?? 0 };
}

function share(value: number | string, total: number): number {
  if (typeof value === "number") return value;
  const percent = Number.parseInt(value, 10);
  if (Number.isNaN(percent)) throw new NeedUnknownError(`${value} is neither a number nor a percentage`);
  return Math.ceil((percent * total) / 100);
}

function wantedByOwners(pods: readonly Pod[], find: FindOwner): number {
  const owners = new Map<string, number>();
  for (const pod of pods) {
    const owner = ownerOf(pod, find);
    if (owner === undefined) continue;
    owners.set(owner.metadata?.uid ?? "", owner.spec?.replicas ?? 1);
  }
  return [...owners.values()].reduce((sum, replicas) => sum + replicas, 0);
}

/** The Deployment of a pod's ReplicaSet counts, not each of its ReplicaSets; pods without an owner count nowhere. */
function ownerOf(pod: Pod, find: FindOwner): Scaled | undefined {
  let child: ApiObject = pod;
  let owner: Scaled | undefined;
  for (let reference = controllerOf(child); reference !== undefined; reference = controllerOf(child)) {
    const found = find(reference.kind ?? "", joinKey(pod.metadata?.namespace, reference.name ?? ""));
    if (found === undefined || found.metadata?.uid !== reference.uid) {
      if (owner !== undefined) return owner;
      throw new NeedUnknownError(`found no controller for pod ${JSON.stringify(pod.metadata?.name)}`);
    }
    owner = found;
    child = found;
  }
  return owner;
}
