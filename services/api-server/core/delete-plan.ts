import { type Clock, formatTime } from "../../../lib/core/clock.ts";
import { conflict, invalid, notFound } from "../../../lib/core/status-error.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import { namespaceFinalizers } from "../strategy/namespace.ts";
import type { Decision } from "./committer.ts";
import { copyOf, type KubeObject, metaOf, structAt } from "./kube-object.ts";
import type { DeleteRequest, Target } from "./request.ts";

const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";
/** The end of the year 9999: RFC 3339 has no later time, so no grace goes beyond it. */
const LAST_TIME_MS = 253_402_300_799_000;

/**
 * What a delete does with the newest state: remove it, mark it, or nothing. Source of behaviour:
 * kubernetes/apiserver:pkg/registry/rest/delete.go and pkg/registry/generic/registry/store.go.
 */
export function decideDelete(
  current: CachedObject | undefined,
  target: Target,
  request: DeleteRequest,
  clock: Clock,
): Decision {
  const { definition } = target.kind;
  const named = { group: definition.group, resource: definition.resource };
  if (current === undefined) throw notFound(named, target.name);
  const old = current.object(target.kind);
  checkPreconditions(current, target, request);
  if (isNamespace(target)) return decideNamespace(old, target, clock);
  const finalizers = finalizersAfter(old, target, request);
  const object = copyOf(old);
  const meta = metaOf(object);
  const asked = target.kind.strategy.graceSeconds?.(old, request.gracePeriodSeconds) ?? 0;
  const grace = Math.min(asked, Math.floor((LAST_TIME_MS - clock.nowMs()) / 1000));
  const pending = old.metadata?.deletionTimestamp !== undefined;
  if (grace === 0 && finalizers.length === 0) return { type: "delete" };
  if (finalizers.length === 0) delete meta.finalizers;
  else meta.finalizers = finalizers;
  if (pending) return shorten(object, old, grace, clock);
  mark(object, grace, clock);
  return { type: "put", object };
}

/** An update may have removed the last thing that kept a deleted object. */
export function isFinished(object: KubeObject, old: KubeObject, target: Target): boolean {
  const meta = object.metadata;
  if (old.metadata?.deletionTimestamp === undefined || (meta?.finalizers?.length ?? 0) > 0) return false;
  if (isNamespace(target)) return namespaceFinalizers(object).length === 0;
  return Number(meta?.deletionGracePeriodSeconds ?? 0) === 0;
}

function isNamespace(target: Target): boolean {
  return target.kind.definition.group === "" && target.kind.definition.resource === "namespaces";
}

function checkPreconditions(current: CachedObject, target: Target, request: DeleteRequest): void {
  const { definition } = target.kind;
  // Upstream names the kind here, not the plural.
  const named = { group: definition.group, resource: definition.kind };
  const uid = current.object().metadata?.uid ?? "";
  if (request.uid !== undefined && request.uid !== uid) {
    const why = `the UID in the precondition (${request.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw conflict(named, target.name, why);
  }
  if (request.resourceVersion !== undefined && request.resourceVersion !== String(current.revision)) {
    const why = `the ResourceVersion in the precondition (${request.resourceVersion}) does not match the ResourceVersion in record (${current.revision}). The object might have been modified`;
    throw conflict(named, target.name, why);
  }
}

/** Orphan and foreground deletion are finalizers that the garbage collector takes away. */
function finalizersAfter(old: KubeObject, target: Target, request: DeleteRequest): string[] {
  const present = [...(old.metadata?.finalizers ?? [])];
  const fallback = target.kind.definition.defaultPropagation;
  const policy = request.propagationPolicy ?? (fallback === "orphan" ? "Orphan" : undefined);
  if (policy === undefined || fallback === "none") return present;
  const others = present.filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  if (policy === "Orphan") return [...others, ORPHAN];
  return policy === "Foreground" ? [...others, FOREGROUND] : others;
}

function mark(object: KubeObject, graceSeconds: number, clock: Clock): void {
  const meta = metaOf(object);
  meta.deletionTimestamp = formatTime(clock.nowMs() + graceSeconds * 1000);
  meta.deletionGracePeriodSeconds = graceSeconds;
  const generation = Number(meta.generation ?? 0);
  if (generation > 0) meta.generation = generation + 1;
}

/** A second delete may only shorten the grace that was given. */
function shorten(object: KubeObject, old: KubeObject, graceSeconds: number, clock: Clock): Decision {
  const meta = metaOf(object);
  const before = Number(old.metadata?.deletionGracePeriodSeconds ?? 0);
  if (graceSeconds < before) {
    const markedMs = globalThis.Date.parse(old.metadata?.deletionTimestamp ?? "") - before * 1000;
    meta.deletionTimestamp = formatTime(Math.max(markedMs + graceSeconds * 1000, Math.min(clock.nowMs(), markedMs)));
    meta.deletionGracePeriodSeconds = graceSeconds;
    return { type: "put", object };
  }
  const same = (old.metadata?.finalizers ?? []).join() === (meta.finalizers ?? []).join();
  return same ? { type: "keep" } : { type: "put", object };
}

function decideNamespace(old: KubeObject, target: Target, clock: Clock): Decision {
  const kept = namespaceFinalizers(old).length > 0 || (old.metadata?.finalizers?.length ?? 0) > 0;
  const pending = old.metadata?.deletionTimestamp !== undefined;
  if (!kept) return { type: "delete" };
  if (pending && namespaceFinalizers(old).length > 0) {
    const why =
      "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be purged by the system.";
    throw conflict({ group: "", resource: "namespaces" }, target.name, why);
  }
  if (pending) return { type: "keep" };
  const object = copyOf(old);
  const meta = metaOf(object);
  meta.deletionTimestamp = formatTime(clock.nowMs());
  structAt(object, "status")["phase"] = "Terminating";
  return { type: "put", object };
}

/** Refuses grace periods that make no sense before anything is read. */
export function checkDeleteRequest(request: DeleteRequest): void {
  const seconds = request.gracePeriodSeconds;
  if (seconds === undefined || (Number.isSafeInteger(seconds) && seconds >= 0)) return;
  const message = `Invalid value: ${seconds}: must be greater than or equal to zero`;
  throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", [
    { reason: "FieldValueInvalid", message, field: "gracePeriodSeconds" },
  ]);
}
