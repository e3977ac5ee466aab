import type { Deployment, ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";

export const REVISION = "deployment.kubernetes.io/revision";
export const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
/** `spec.replicas` of the Deployment when the ReplicaSet was sized last, and that plus its surge. */
export const DESIRED = "deployment.kubernetes.io/desired-replicas";
export const MAX = "deployment.kubernetes.io/max-replicas";

/** What belongs to the Deployment alone, or is set here. */
const NOT_COPIED = new Set([
  REVISION,
  REVISION_HISTORY,
  DESIRED,
  MAX,
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
]);

export function numberAnnotation(object: Deployment | ReplicaSet, name: string): number | undefined {
  const text = object.metadata?.annotations?.[name];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export function revisionOf(object: Deployment | ReplicaSet): number {
  return numberAnnotation(object, REVISION) ?? 0;
}

/** The annotations of the ReplicaSet of the present template: the Deployment's, its revision, and those it had. */
export function annotationsFor(
  deployment: Deployment,
  set: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const before = set?.metadata?.annotations ?? {};
  const copied = Object.entries(deployment.metadata?.annotations ?? {}).filter(([name]) => !NOT_COPIED.has(name));
  const own = Object.entries(before).filter(([name]) => NOT_COPIED.has(name));
  const annotations = Object.fromEntries([...copied, ...own]);
  const old = set === undefined ? 0 : revisionOf(set);
  if (old < revision) {
    annotations[REVISION] = String(revision);
    if (old > 0) annotations[REVISION_HISTORY] = [before[REVISION_HISTORY], old].filter(Boolean).join(",");
  }
  return annotations;
}
