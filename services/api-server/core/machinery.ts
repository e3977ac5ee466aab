import type { StatusCause } from "../../../lib/core/status-error.ts";
import type { KubeObject } from "./kube-object.ts";
import type { Body, PatchBody } from "./request.ts";
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

/** What lib/resource does for a kind, behind one door; all fail with StatusError. */
export interface Machinery {
  decode(kind: ServedKind, body: Body): Decoded;
  /** DeleteOptions of a request's body. */
  decodeDeleteOptions(body: Body): DeleteOptionsObject;
  applyDefaults(kind: ServedKind, object: KubeObject): void;
  /** The patched object, decoded anew. */
  patch(kind: ServedKind, current: KubeObject, body: PatchBody): Decoded;
  validateCreate(kind: ServedKind, object: KubeObject): readonly StatusCause[];
  validateUpdate(kind: ServedKind, object: KubeObject, old: KubeObject, subresource: string): readonly StatusCause[];
}
