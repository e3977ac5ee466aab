import { jsonFields, messageOf } from "../json-fields.ts";
import { cloneJson, emptyObject, isJsonObject, type JsonObject, type JsonValue, memberOf } from "../json-value.ts";
import type { MessageSchema } from "../schema.ts";
import { checkAgainstOrder, type Identity, identityByKey, identityOfScalar, inOrder } from "./element-order.ts";
import { PatchError } from "./patch-error.ts";

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const ORDER_PREFIX = "$setElementOrder/";
const DELETE_PREFIX = "$deleteFromPrimitiveList/";

/** How one member is merged, from the annotations of its field. */
interface MemberRule {
  readonly schema: MessageSchema | undefined;
  readonly replace: boolean;
  readonly merge: boolean;
  readonly mergeKey: string;
}

/**
 * Strategic merge patch: objects merge, lists merge by the merge key where the field says so and are replaced elsewhere,
 * and the directives `$patch`, `$retainKeys`, `$setElementOrder/<field>` and `$deleteFromPrimitiveList/<field>` steer
 * it. What the schema does not know merges as in a JSON merge patch. Neither argument is changed. Throws PatchError.
 *
 * Source of behaviour: kubernetes/community:contributors/devel/sig-api-machinery/strategic-merge-patch.md and
 * kubernetes/apimachinery:pkg/util/strategicpatch (its published test cases).
 */
export function applyStrategicMergePatch(current: JsonObject, patch: JsonValue, schema: MessageSchema): JsonObject {
  if (!isJsonObject(patch)) throw new PatchError("malformed", "error decoding patch: a merge patch must be an object");
  return mergeObject(cloneJson(current), patch, schema);
}

function ruleOf(schema: MessageSchema | undefined, name: string): MemberRule {
  const field = schema === undefined ? undefined : jsonFields(schema).get(name);
  const strategies = field?.patchStrategy?.split(",") ?? [];
  return {
    schema: messageOf(field),
    replace: strategies.includes("replace"),
    merge: strategies.includes("merge"),
    mergeKey: field?.patchMergeKey ?? "",
  };
}

function mergeObject(target: JsonObject, patch: JsonObject, schema: MessageSchema | undefined): JsonObject {
  const directive = memberOf(patch, DIRECTIVE);
  if (directive === "delete") return emptyObject();
  if (directive === "replace") return withoutDirectives(patch);
  if (directive !== undefined && directive !== "merge") {
    throw new PatchError("malformed", `unknown patch type: ${shown(directive)}`);
  }
  retainKeys(target, patch);
  for (const name of Object.keys(patch)) {
    if (name === DIRECTIVE || name === RETAIN_KEYS) continue;
    if (name.startsWith(ORDER_PREFIX)) {
      const listName = name.slice(ORDER_PREFIX.length);
      if (!Object.hasOwn(patch, listName))
        orderOnly(target, listName, patch[name] as JsonValue, ruleOf(schema, listName));
    } else if (name.startsWith(DELETE_PREFIX)) {
      deleteScalars(target, name.slice(DELETE_PREFIX.length), patch[name] as JsonValue);
    } else {
      mergeMember(target, name, patch, ruleOf(schema, name));
    }
  }
  return target;
}

function mergeMember(target: JsonObject, name: string, patch: JsonObject, rule: MemberRule): void {
  const value = patch[name] as JsonValue;
  const existing = memberOf(target, name);
  if (value === null) {
    delete target[name];
  } else if (isJsonObject(value)) {
    const merged = isJsonObject(existing) && !rule.replace;
    if (merged) target[name] = mergeObject(existing, value, rule.schema);
    else if (memberOf(value, DIRECTIVE) === "delete") delete target[name];
    else target[name] = withoutDirectives(value);
  } else if (Array.isArray(value)) {
    const order = orderOf(patch, name);
    if (order !== undefined) checkAgainstOrder(value, order, identityFor(rule.mergeKey), isDirectiveItem);
    target[name] =
      Array.isArray(existing) && rule.merge
        ? mergeList(existing, value, order, rule, name)
        : newList(value, order, rule);
  } else {
    target[name] = value;
  }
}

/** Objects and lists of a patch where nothing exists yet: nulls and directives fall away. */
function withoutDirectives(patch: JsonObject): JsonObject {
  const result = emptyObject();
  for (const name of Object.keys(patch)) {
    const value = patch[name] as JsonValue;
    if (value === null || name === DIRECTIVE || name === RETAIN_KEYS) continue;
    if (name.startsWith(ORDER_PREFIX) || name.startsWith(DELETE_PREFIX)) continue;
    if (isJsonObject(value) && Object.hasOwn(value, DIRECTIVE) && value[DIRECTIVE] === "delete") continue;
    result[name] = valueWithoutDirectives(value);
  }
  return result;
}

function valueWithoutDirectives(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.filter((item) => !isDirectiveItem(item)).map(valueWithoutDirectives);
  return isJsonObject(value) ? withoutDirectives(value) : value;
}

function newList(patch: JsonValue[], order: JsonValue[] | undefined, rule: MemberRule): JsonValue[] {
  const items = valueWithoutDirectives(patch) as JsonValue[];
  return order === undefined || !rule.merge ? items : inOrder(items, order, [], identityFor(rule.mergeKey));
}

function isDirectiveItem(item: JsonValue): boolean {
  return isJsonObject(item) && Object.hasOwn(item, DIRECTIVE) && item[DIRECTIVE] !== "merge";
}

function identityFor(mergeKey: string): Identity {
  return mergeKey === "" ? identityOfScalar : identityByKey(mergeKey);
}

function mergeList(
  current: JsonValue[],
  patch: JsonValue[],
  order: JsonValue[] | undefined,
  rule: MemberRule,
  name: string,
): JsonValue[] {
  const hasObjects = [...current, ...patch].some(isJsonObject);
  if (hasObjects && rule.mergeKey === "") {
    throw new PatchError("rejected", `cannot merge lists without merge key for ${name}`);
  }
  const identity = identityFor(hasObjects ? rule.mergeKey : "");
  const merged = hasObjects ? mergeItems(current, patch, rule, identity) : mergeScalars(current, patch);
  const plain = patch.filter((item) => !isDirectiveItem(item));
  const first = inOrder(merged, plain, current, identity);
  // A place that a deletion freed goes to the first item that was added: so upstream's published results have it.
  return order === undefined ? first : inOrder(first, order, merged.slice(0, current.length), identity);
}

function mergeScalars(current: readonly JsonValue[], patch: readonly JsonValue[]): JsonValue[] {
  if ([...current, ...patch].some(Array.isArray)) throw new PatchError("rejected", "lists of lists are not supported");
  const seen = new Map<unknown, JsonValue>();
  for (const item of [...current, ...patch])
    if (!seen.has(identityOfScalar(item))) seen.set(identityOfScalar(item), item);
  return [...seen.values()];
}

function mergeItems(current: JsonValue[], patch: JsonValue[], rule: MemberRule, identity: Identity): JsonValue[] {
  const replaces = patch.some((item) => isJsonObject(item) && memberOf(item, DIRECTIVE) === "replace");
  const positions = new Map<unknown, number>();
  const items: (JsonValue | undefined)[] = replaces ? [] : [...current];
  items.forEach((item, index) => {
    const id = identity(item as JsonValue);
    if (!positions.has(id)) positions.set(id, index);
  });
  for (const item of patch) {
    if (!isJsonObject(item))
      throw new PatchError("rejected", `expected an object in a list, but received ${shown(item)}`);
    const directive = memberOf(item, DIRECTIVE);
    if (directive === "replace") continue;
    const id = identity(item);
    if (directive === "delete") {
      items.forEach((old, index) => {
        if (old !== undefined && identity(old) === id) items[index] = undefined;
      });
      positions.delete(id);
    } else {
      mergeItem(items, positions, item, id, rule);
    }
  }
  return items.filter((item) => item !== undefined);
}

function mergeItem(
  items: (JsonValue | undefined)[],
  positions: Map<unknown, number>,
  item: JsonObject,
  id: unknown,
  rule: MemberRule,
): void {
  const position = positions.get(id);
  const existing = position === undefined ? undefined : items[position];
  if (position !== undefined && isJsonObject(existing)) {
    items[position] = mergeObject(existing, item, rule.schema);
  } else {
    positions.set(id, items.length);
    items.push(withoutDirectives(item));
  }
}

function orderOf(patch: JsonObject, name: string): JsonValue[] | undefined {
  const order = memberOf(patch, `${ORDER_PREFIX}${name}`);
  if (order === undefined) return undefined;
  if (!Array.isArray(order)) throw new PatchError("malformed", "invalid patch format of setElementOrder list");
  return order;
}

/** The patch orders a list whose items it does not touch. */
function orderOnly(target: JsonObject, name: string, order: JsonValue, rule: MemberRule): void {
  if (!Array.isArray(order)) throw new PatchError("malformed", "invalid patch format of setElementOrder list");
  const current = memberOf(target, name);
  if (Array.isArray(current)) target[name] = inOrder(current, order, current, identityFor(rule.mergeKey));
}

function deleteScalars(target: JsonObject, name: string, values: JsonValue): void {
  if (!Array.isArray(values)) throw new PatchError("malformed", "invalid patch format of primitive list");
  const current = memberOf(target, name);
  if (!Array.isArray(current)) return;
  const gone = new Set(values.map(identityOfScalar));
  target[name] = current.filter((item) => !gone.has(identityOfScalar(item)));
}

/** `$retainKeys` lists the members that may stay; the patch may set no other. */
function retainKeys(target: JsonObject, patch: JsonObject): void {
  const retained = memberOf(patch, RETAIN_KEYS);
  if (retained === undefined) return;
  if (!Array.isArray(retained)) throw new PatchError("malformed", "invalid patch format of retainKeys");
  const names = new Set(retained);
  for (const name of Object.keys(patch)) {
    const isDirective = name === RETAIN_KEYS || name.startsWith(ORDER_PREFIX) || name.startsWith(DELETE_PREFIX);
    if (isDirective || patch[name] === null || names.has(name)) continue;
    throw new PatchError("malformed", "invalid patch format of retainKeys");
  }
  for (const name of Object.keys(target)) if (!names.has(name)) delete target[name];
}

function shown(value: JsonValue): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? String(item) : item));
}
