import type { StatusCause } from "../../core/status-error.ts";
import type { ObjectMeta } from "../../gen/k8s/meta/v1.ts";
import { FieldPath } from "../field-path.ts";
import { isJsonObject, type JsonValue, jsonEqual, memberOf } from "../json-value.ts";
import type { ResourceDefinition } from "../kind.ts";
import { checkDeclaredRules } from "./declared-rules.ts";
import { kindRules } from "./kind-hooks.ts";
import { checkObjectMeta, checkObjectMetaUpdate } from "./object-meta-rules.ts";
import { Violations } from "./violations.ts";

interface KubeObject {
  readonly metadata?: ObjectMeta;
}

/** Status belongs to controllers; its values are theirs to choose. */
const unchecked = ["metadata", "status"];

/**
 * All that is wrong with a new object: metadata, what annotations say, what the hook of its kind knows. The object is in
 * normal form, with defaults, name and namespace filled in. Empty: it is valid.
 */
export function validateCreate(definition: ResourceDefinition, object: KubeObject): StatusCause[] {
  const violations = new Violations();
  const rules = kindRules(definition);
  checkObjectMeta(definition, object.metadata ?? {}, violations);
  checkDeclaredRules(definition.schema, object, FieldPath.root, violations, unchecked);
  rules.object?.(object as never, violations);
  rules.create?.(object as never, violations);
  return violations.causes;
}

/**
 * All that is wrong with an update of `old` to `object`, through a subresource if one is named: then only metadata and
 * what the hook says of that subresource are looked at.
 */
export function validateUpdate(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
  subresource = "",
): StatusCause[] {
  const violations = new Violations();
  const rules = kindRules(definition);
  checkObjectMetaUpdate(object.metadata ?? {}, old.metadata ?? {}, violations);
  for (const path of definition.immutablePaths) {
    if (path.startsWith("status.") === (subresource === "status")) checkImmutable(path, object, old, violations);
  }
  if (subresource === "") {
    checkDeclaredRules(definition.schema, object, FieldPath.root, violations, unchecked);
    rules.object?.(object as never, violations);
    rules.update?.(object as never, old as never, violations);
  } else {
    rules.subresource?.(subresource, object as never, old as never, violations);
  }
  return violations.causes;
}

function checkImmutable(path: string, object: KubeObject, old: KubeObject, violations: Violations): void {
  const value = valueAt(object, path);
  if (!jsonEqual(value, valueAt(old, path))) violations.invalid(FieldPath.of(path), value, "field is immutable");
}

function valueAt(object: object, path: string): JsonValue | undefined {
  let value = object as JsonValue | undefined;
  for (const name of path.split(".")) value = isJsonObject(value) ? memberOf(value, name) : undefined;
  return value;
}
