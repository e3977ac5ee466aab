import type { ManagedFieldsEntry } from "../../gen/k8s/meta/v1.ts";
import { isJsonObject, type JsonObject, type JsonValue, jsonEqual, memberOf } from "../json-value.ts";
import type { MessageSchema } from "../schema.ts";
import { ApplyError } from "./apply-error.ts";
import { type Conflict, conflictError } from "./conflict.ts";
import { FieldSet } from "./field-set.ts";
import {
  decodeManagedFields,
  encodeManagedFields,
  type FieldManager,
  isSameManager,
  type ManagerFields,
} from "./managed-fields.ts";
import { type Shape, shapeOf } from "./shape.ts";
import { compareShaped, fieldsOf, mergeShaped, withoutFields } from "./shaped-value.ts";

/** Members of metadata that nobody owns: the server's own and the identity of the object. */
const serverOwned = FieldSet.of(
  ["f:apiVersion"],
  ["f:kind"],
  ...["clusterName", "creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion"].map(
    (name) => ["f:metadata", `f:${name}`],
  ),
  ["f:metadata", "f:selfLink"],
  ["f:metadata", "f:uid"],
);

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

export interface ManagedWrite {
  readonly schema: MessageSchema;
  /** Who writes. */
  readonly manager: string;
  readonly apiVersion: string;
  /** Empty for the object itself. */
  readonly subresource: string;
  /** Now, as RFC 3339 in UTC. */
  readonly time: string;
  /** JSON paths that this way of writing leaves alone (`status` for the object itself). */
  readonly ignoredPaths: readonly string[];
}

export interface Apply extends ManagedWrite {
  /** Take over what others own. */
  readonly force: boolean;
}

export interface Applied {
  /** The object in JSON shape, without managedFields. */
  readonly object: JsonObject;
  readonly managedFields: ManagedFieldsEntry[];
}

/**
 * Server-side apply (KEP-555): lays what a manager wants over what there is, takes away what it wanted before and no
 * longer does, and notes who owns what. `live` is the object as JSON (undefined: it is to be created), with its
 * `managedFields` apart; `config` is what the client sent. Throws StatusError 409 where others own what would change
 * and ApplyError for a configuration that contradicts itself.
 */
export function applyConfiguration(
  live: JsonObject | undefined,
  managedFields: readonly ManagedFieldsEntry[],
  config: JsonObject,
  write: Apply,
): Applied {
  const shape = shapeOf(write.schema);
  const wanted = withoutNulls(config);
  const self: FieldManager = { ...managerOf(write), operation: "Apply" };
  const managers = live === undefined ? [] : knownManagers(live, managedFields, shape, write);
  const fields = owned(fieldsOf(wanted, shape, true), write);
  const before = managers.find((one) => isSameManager(one, self));
  const others = managers.filter((one) => one !== before);
  const merged = mergeShaped(live, visible(wanted, write, shape), shape) as JsonObject;
  const object = prune(merged, before?.fields ?? FieldSet.empty, fields, others, shape);
  const { added, modified, removed } = compareShaped(live ?? {}, object, shape);
  const changed = added.union(modified);
  const conflicts = others
    .map((manager): Conflict => ({ manager, fields: manager.fields.intersection(changed) }))
    .filter((conflict) => !conflict.fields.isEmpty);
  if (!write.force) refuse(conflicts, live, write, shape);
  const kept = others.map((one) => ({ ...one, fields: one.fields.difference(changed).difference(removed) }));
  const isSame = before?.fields.equals(fields) === true && changed.isEmpty && removed.isEmpty;
  const entry: ManagerFields = { ...self, time: isSame ? before.time : write.time, fields };
  return { object, managedFields: encodeManagedFields([...kept, entry]) };
}

/**
 * Notes an ordinary write: what it changed belongs to its manager from now on, and to no other. Objects that nobody has
 * applied yet carry no record and get none: what they hold belongs to `before-first-apply` when somebody does.
 */
export function trackUpdate(
  live: JsonObject,
  now: JsonObject,
  managedFields: readonly ManagedFieldsEntry[],
  write: ManagedWrite,
): ManagedFieldsEntry[] {
  if (managedFields.length === 0) return [];
  const shape = shapeOf(write.schema);
  const self: FieldManager = { ...managerOf(write), operation: "Update" };
  const managers = decodeManagedFields(managedFields);
  const { added, modified, removed } = compareShaped(live, now, shape);
  const changed = owned(added.union(modified), write);
  if (changed.isEmpty && removed.isEmpty) return [...managedFields];
  const before = managers.find((one) => isSameManager(one, self));
  const kept = managers
    .filter((one) => one !== before)
    .map((one) => ({ ...one, fields: one.fields.difference(changed).recursiveDifference(removed) }));
  const fields = (before?.fields ?? FieldSet.empty).recursiveDifference(removed).union(changed);
  return encodeManagedFields([...kept, { ...self, time: write.time, fields }]);
}

function managerOf({ manager, apiVersion, subresource }: ManagedWrite): Omit<FieldManager, "operation"> {
  return { manager, apiVersion, subresource };
}

function knownManagers(
  live: JsonObject,
  managedFields: readonly ManagedFieldsEntry[],
  shape: Shape,
  write: ManagedWrite,
): ManagerFields[] {
  const managers = decodeManagedFields(managedFields);
  if (managers.length > 0) return managers;
  const first: FieldManager = {
    manager: "before-first-apply",
    operation: "Update",
    apiVersion: write.apiVersion,
    subresource: "",
  };
  return [{ ...first, time: write.time, fields: owned(fieldsOf(live, shape), write) }];
}

/** Without what nobody owns, or not this way. */
function owned(fields: FieldSet, { ignoredPaths }: ManagedWrite): FieldSet {
  const ignored = FieldSet.of(...ignoredPaths.map((path) => path.split(".").map((name) => `f:${name}`)));
  const rest = fields.recursiveDifference(serverOwned).recursiveDifference(ignored);
  const metadata = rest.children.get("f:metadata");
  if (metadata?.isEmpty !== false || (metadata.isMember && metadata.children.size === 0)) {
    rest.children.delete("f:metadata");
  }
  rest.isMember = false;
  return rest;
}

/** The configuration without what is ignored, so that it changes nothing there. */
function visible(config: JsonObject, { ignoredPaths }: ManagedWrite, shape: Shape): JsonObject {
  const ignored = FieldSet.of(...ignoredPaths.map((path) => path.split(".").map((name) => `f:${name}`)));
  return (withoutFields(config, ignored, shape) ?? {}) as JsonObject;
}

/** Takes away what this manager owned alone and does not want any more. */
function prune(
  merged: JsonObject,
  before: FieldSet,
  now: FieldSet,
  others: readonly ManagerFields[],
  shape: Shape,
): JsonObject {
  let kept = now;
  for (const { fields } of others) kept = kept.union(fields);
  // What makes it an object at all is nobody's, and stays.
  const wanted = kept.withNamedParents().union(FieldSet.of([], ["f:metadata"]));
  const gone = before.withNamedParents().difference(wanted);
  return gone.isEmpty ? merged : ((withoutFields(merged, gone, shape) ?? {}) as JsonObject);
}

function refuse(conflicts: readonly Conflict[], live: JsonObject | undefined, write: Apply, shape: Shape): void {
  const lastApplied =
    write.manager === "kubectl" && live !== undefined ? lastAppliedFields(live, shape) : FieldSet.empty;
  const left = conflicts
    .map(({ manager, fields }) => ({ manager, fields: fields.difference(lastApplied) }))
    .filter(({ fields }) => !fields.isEmpty);
  if (left.length > 0) throw conflictError(left);
}

/** What client-side kubectl applied and nobody changed since is kubectl's to change. */
function lastAppliedFields(live: JsonObject, shape: Shape): FieldSet {
  const metadata = memberOf(live, "metadata");
  const annotations = isJsonObject(metadata) ? memberOf(metadata, "annotations") : undefined;
  const text = isJsonObject(annotations) ? memberOf(annotations, LAST_APPLIED) : undefined;
  if (typeof text !== "string") return FieldSet.empty;
  try {
    const applied = JSON.parse(text) as JsonObject;
    const { modified, added } = compareShaped(applied, live, shape);
    return fieldsOf(applied, shape).difference(modified).difference(added);
  } catch {
    return FieldSet.empty;
  }
}

function withoutNulls(config: JsonObject): JsonObject {
  const metadata = memberOf(config, "metadata");
  if (isJsonObject(metadata) && Object.hasOwn(metadata, "managedFields") && !isEmptyList(metadata["managedFields"])) {
    throw new ApplyError("metadata.managedFields must be nil");
  }
  return cleaned(config) as JsonObject;
}

function isEmptyList(value: JsonValue | undefined): boolean {
  return value === null || value === undefined || jsonEqual(value, []);
}

function cleaned(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(cleaned);
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.assign(
    Object.create(null) as JsonObject,
    ...kept.map(([name, member]) => ({ [name]: cleaned(member) })),
  );
}
