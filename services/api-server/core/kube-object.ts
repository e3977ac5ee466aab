import { RawJson } from "../../../lib/resource/codec/raw-json.ts";
import { UserMap } from "../../../lib/resource/codec/user-map.ts";

/** A decoded object (normal form) as machinery sees it: metadata is typed, everything else is looked at by the hooks of the kind. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: KubeMeta;
  [member: string]: unknown;
}

export interface KubeMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number | bigint;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number | bigint;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
  selfLink?: string;
}

export interface OwnerReference {
  apiVersion?: string;
  kind?: string;
  name?: string;
  uid?: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** The metadata of an object that is being changed; made when absent. */
export function metaOf(object: KubeObject): KubeMeta {
  object.metadata ??= {};
  return object.metadata;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Follows member names; undefined where the way ends. */
export function valueAt(object: unknown, ...path: readonly string[]): unknown {
  let value = object;
  for (const member of path) {
    if (!isRecord(value) || !Object.hasOwn(value, member)) return undefined;
    value = value[member];
  }
  return value;
}

/** A struct member that is being changed; made when absent. */
export function structAt(object: KubeObject, member: string): Record<string, unknown> {
  const present = object[member];
  if (isRecord(present)) return present;
  const made: Record<string, unknown> = {};
  object[member] = made;
  return made;
}

export function listAt(object: unknown, ...path: readonly string[]): readonly Record<string, unknown>[] {
  const value = valueAt(object, ...path);
  return Array.isArray(value) ? value : [];
}

export function textAt(object: unknown, ...path: readonly string[]): string {
  const value = valueAt(object, ...path);
  return typeof value === "string" ? value : "";
}

/** Copies plain data; holders of raw JSON are immutable and shared. */
export function copyOf<T>(value: T): T {
  return copyValue(value) as T;
}

function copyValue(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyValue);
  if (value instanceof RawJson) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  // The maps of users have no Object.prototype behind them, and must not get one.
  const copy: Record<string, unknown> = prototype === Object.prototype ? {} : new UserMap();
  for (const member of Object.keys(value)) copy[member] = copyValue((value as Record<string, unknown>)[member]);
  return copy;
}

/** Equal as data, whatever the order of members. */
export function sameValue(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) && left.length === right.length && left.every((item, index) => sameValue(item, right[index]))
    );
  }
  if (Array.isArray(right)) return false;
  const leftKeys = Object.keys(left);
  if (leftKeys.length !== Object.keys(right).length) return false;
  return leftKeys.every(
    (key) =>
      Object.hasOwn(right, key) &&
      sameValue((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]),
  );
}
