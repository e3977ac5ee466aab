import type { ResourceRef } from "../../resource/kind.ts";
import type { DeleteOptions } from "../api-client.ts";

/** Plain JSON as the simulator keeps it. */
export type Mutable = { [name: string]: unknown; metadata: Record<string, unknown> };

export function tableName(ref: ResourceRef): string {
  return `${ref.group}/${ref.resource}`;
}

export function apiVersionOf(ref: ResourceRef): string {
  return ref.group === "" ? ref.version : `${ref.group}/${ref.version}`;
}

export function keyIn(metadata: Record<string, unknown>): { name: string; namespace?: string } {
  const namespace = metadata["namespace"];
  const name = String(metadata["name"]);
  return typeof namespace === "string" ? { namespace, name } : { name };
}

export function copyOf(object: unknown): Mutable {
  const copy = structuredClone(object) as Mutable;
  copy.metadata ??= {};
  return copy;
}

export function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}

export function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, sortedKeys) === JSON.stringify(b, sortedKeys);
}

export function sortedKeys(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const SERVER_FIELDS = ["uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"];

export function mergeForUpdate(
  ref: ResourceRef,
  old: Mutable,
  draft: Mutable,
  subresource: string | undefined,
): Mutable {
  const next: Mutable = { ...draft, metadata: { ...draft.metadata } };
  for (const field of SERVER_FIELDS) {
    if (old.metadata[field] === undefined) delete next.metadata[field];
    else next.metadata[field] = old.metadata[field];
  }
  next.metadata["resourceVersion"] = old.metadata["resourceVersion"];
  if (subresource === "status") {
    return { ...old, metadata: next.metadata, ...(next["status"] === undefined ? {} : { status: next["status"] }) };
  }
  if (subresource === "finalize") {
    next["status"] = old["status"];
  } else {
    if (old["status"] === undefined) delete next["status"];
    else next["status"] = old["status"];
    if (ref.resource === "namespaces" && old["spec"] !== undefined) next["spec"] = old["spec"];
    if (next["spec"] !== undefined && !sameJson(old["spec"], next["spec"]))
      next.metadata["generation"] = Number(old.metadata["generation"] ?? 0) + 1;
  }
  return next;
}

export function finalizersFor(draft: Mutable, options: DeleteOptions): string[] {
  const kept = ((draft.metadata["finalizers"] ?? []) as string[]).filter(
    (name) => options.propagationPolicy === undefined || (name !== "orphan" && name !== "foregroundDeletion"),
  );
  if (options.propagationPolicy === "Orphan") return [...kept, "orphan"];
  if (options.propagationPolicy === "Foreground") return [...kept, "foregroundDeletion"];
  return kept;
}

export function hasSpecFinalizers(ref: ResourceRef, draft: Mutable): boolean {
  const spec = draft["spec"] as { finalizers?: string[] } | undefined;
  return ref.resource === "namespaces" && (spec?.finalizers?.length ?? 0) > 0;
}

export function stillHeld(ref: ResourceRef, draft: Mutable): boolean {
  const finalizers = (draft.metadata["finalizers"] ?? []) as string[];
  const graceLeft = ref.resource === "pods" && Number(draft.metadata["deletionGracePeriodSeconds"] ?? 0) > 0;
  return finalizers.length > 0 || hasSpecFinalizers(ref, draft) || graceLeft;
}

/** Only pods that a node has to stop are given time. */
export function gracePeriodOf(ref: ResourceRef, draft: Mutable, options: DeleteOptions): number {
  if (ref.resource !== "pods" || ref.group !== "") return 0;
  const spec = draft["spec"] as { nodeName?: string; terminationGracePeriodSeconds?: number } | undefined;
  const status = draft["status"] as { phase?: string } | undefined;
  if (spec?.nodeName === undefined || status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
}
