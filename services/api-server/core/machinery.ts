import type { StatusCause } from "../../../lib/core/status-error.ts";
import type { KubeObject } from "./kube-object.ts";
import type { Body, PatchBody, Target } from "./request.ts";
import type { ServedKind } from "./stored-kind.ts";

export interface Decoded {
  /** Owned by the caller. */
  readonly object: KubeObject;
  /** Unknown and duplicate fields, in upstream's words. */
  readonly problems: readonly string[];
}

/** DeleteOptions of meta/v1. */
export interface DeleteOptionsObject {
  readonly gracePeriodSeconds?: number | bigint;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly orphanDependents?: boolean;
  readonly propagationPolicy?: string;
  readonly dryRun?: readonly string[];
}

/** Who writes and when, for the record of managed fields. */
export interface WriterNote {
  readonly manager: string;
  /** RFC 3339. */
  readonly time: string;
  /** An apply takes over what others own. */
  readonly force: boolean;
}

/** What lib/resource does for a kind, behind one door; all fail with StatusError. */
export interface Machinery {
  decode(kind: ServedKind, body: Body): Decoded;
  /** DeleteOptions of a request's body. */
  decodeDeleteOptions(body: Body): DeleteOptionsObject;
  applyDefaults(kind: ServedKind, object: KubeObject): void;
  /** The patched object, decoded anew. */
  patch(kind: ServedKind, current: KubeObject, body: PatchBody): Decoded;
  /** What a server-side apply makes of the object, or of none. */
  apply(target: Target, current: KubeObject | undefined, body: PatchBody, note: WriterNote): Decoded;
  /** Brings the record of managed fields up to date after an ordinary write. */
  trackManagers(target: Target, object: KubeObject, old: KubeObject, note: WriterNote): void;
  validateCreate(kind: ServedKind, object: KubeObject): readonly StatusCause[];
  validateUpdate(kind: ServedKind, object: KubeObject, old: KubeObject, subresource: string): readonly StatusCause[];
}
