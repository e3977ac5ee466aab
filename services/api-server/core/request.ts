import type { Fence } from "../../../lib/client/api-client.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ServedKind } from "./stored-kind.ts";

/** Who asks, after authentication. */
export interface Identity {
  readonly user: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export type RequestVerb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

/** What is meant: a resource, an object of it, or a subresource of that object. Empty strings where there is nothing. */
export interface Target {
  readonly kind: ServedKind;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

/** What every request has beside its target. */
export interface Call {
  readonly identity: Identity;
  readonly signal: AbortSignal;
  /** Collected for `Warning: 299` headers. */
  readonly warnings: string[];
}

/** An object as it arrived: bytes, or (from a role in this process) normal form, which is not changed. */
export type Body =
  | { readonly bytes: Uint8Array; readonly encoding: "json" | "yaml" | "protobuf" }
  | { readonly object: KubeObject };

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: "Strict" | "Warn" | "Ignore";
  readonly fence?: Fence;
  /** Who writes, for the record of managed fields; when absent, the user. */
  readonly fieldManager?: string;
  /** An apply takes over what other managers own. */
  readonly force?: boolean;
}

export const defaultWriteOptions: WriteOptions = { dryRun: false, fieldValidation: "Warn" };

export interface PatchBody {
  /** `apply` is server-side apply, of YAML or JSON. */
  readonly type: "json" | "merge" | "strategic" | "apply";
  readonly patch: Uint8Array | { readonly value: unknown };
}

export interface DeleteRequest {
  readonly dryRun: boolean;
  readonly gracePeriodSeconds?: number;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: "Orphan" | "Background" | "Foreground";
  readonly fence?: Fence;
}

export interface SelectorTexts {
  readonly label: string;
  readonly field: string;
}
