import {
  cloneJson,
  emptyObject,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonEqual,
  memberOf,
} from "../json-value.ts";
import { FieldSet } from "./field-set.ts";
import { memberElement, type PathElement } from "./path-element.ts";
import type { Shape } from "./shape.ts";
import { interleaved, itemElement, itemsByElement, type ListShape } from "./shaped-list.ts";

/** Members of a struct or map with the shape of each. */
function membersOf(value: JsonObject, shape: Extract<Shape, { kind: "struct" | "map" }>): [string, JsonValue, Shape][] {
  return Object.keys(value).map((name) => {
    const below = shape.kind === "map" ? shape.values : shape.members(name);
    return [name, value[name] as JsonValue, below];
  });
}

/**
 * The paths that a value has: its leaves, and the items of lists with keys as such. `unique`: a key that comes twice
 * throws ApplyError (in what a client applies; what is stored may have been written otherwise).
 */
export function fieldsOf(value: JsonValue, shape: Shape, unique = false): FieldSet {
  const set = new FieldSet();
  collect(value, shape, set, unique);
  return set;
}

function collect(value: JsonValue, shape: Shape, set: FieldSet, unique: boolean): void {
  if (shape.kind === "unknown") return;
  if ((shape.kind === "struct" || shape.kind === "map") && isJsonObject(value) && Object.keys(value).length > 0) {
    for (const [name, member, below] of membersOf(value, shape)) {
      const child = set.child(memberElement(name));
      if (shape.kind === "map") child.isMember = true;
      collect(member, below, child, unique);
    }
  } else if ((shape.kind === "set" || shape.kind === "keyed-list") && Array.isArray(value) && value.length > 0) {
    for (const [element, [item, ...others]] of itemsByElement(value, shape, unique)) {
      const child = set.child(element);
      child.isMember = true;
      if (shape.kind === "keyed-list" && item !== undefined && others.length === 0) {
        collect(item, shape.items, child, unique);
      }
    }
  } else {
    set.isMember = true;
  }
}

/** `over` laid over `under`: leaves of `over` win, everything else of both stays. Neither is changed. */
export function mergeShaped(under: JsonValue | undefined, over: JsonValue, shape: Shape): JsonValue {
  if ((shape.kind === "struct" || shape.kind === "map") && isJsonObject(under) && isJsonObject(over)) {
    const merged = emptyObject();
    for (const name of Object.keys(under)) merged[name] = cloneJson(under[name] as JsonValue);
    for (const [name, value, below] of membersOf(over, shape)) {
      merged[name] = mergeShaped(memberOf(under, name), value, below);
    }
    return merged;
  }
  if ((shape.kind === "set" || shape.kind === "keyed-list") && Array.isArray(under) && Array.isArray(over)) {
    return mergeLists(under, over, shape);
  }
  return cloneJson(over);
}

function mergeLists(under: JsonValue[], over: JsonValue[], shape: ListShape): JsonValue[] {
  const before = itemsByElement(under, shape, false);
  const wanted = [...itemsByElement(over, shape, true).values()].flat();
  return interleaved(under, wanted, shape, (element, item) => {
    const [one, ...others] = before.get(element) ?? [];
    const isSingle = one !== undefined && others.length === 0;
    return shape.kind === "keyed-list" && isSingle ? mergeShaped(one, item, shape.items) : cloneJson(item);
  });
}

/** What a change did to each path. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** How `now` differs from `before`, leaf by leaf; a part that is new or gone counts with all its parents that are too. */
export function compareShaped(before: JsonValue | undefined, now: JsonValue | undefined, shape: Shape): Comparison {
  const comparison: Comparison = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  if (before !== undefined && now !== undefined) compare(before, now, shape, comparison);
  else if (now !== undefined) return { ...comparison, added: fieldsOf(now, shape).withParents() };
  else if (before !== undefined) return { ...comparison, removed: fieldsOf(before, shape).withParents() };
  return comparison;
}

function compare(before: JsonValue, now: JsonValue, shape: Shape, into: Comparison): void {
  if ((shape.kind === "struct" || shape.kind === "map") && isJsonObject(before) && isJsonObject(now)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const below = shape.kind === "map" ? shape.values : shape.members(name);
      compareBelow(memberElement(name), memberOf(before, name), memberOf(now, name), below, into);
    }
  } else if ((shape.kind === "set" || shape.kind === "keyed-list") && Array.isArray(before) && Array.isArray(now)) {
    compareLists(before, now, shape, into);
  } else if (shape.kind !== "unknown" && !jsonEqual(before, now)) {
    into.modified.isMember = true;
  }
}

function compareLists(before: JsonValue[], now: JsonValue[], shape: ListShape, into: Comparison): void {
  const [old, fresh] = [itemsByElement(before, shape, false), itemsByElement(now, shape, false)];
  const below: Shape = shape.kind === "keyed-list" ? shape.items : { kind: "atomic" };
  for (const element of new Set([...old.keys(), ...fresh.keys()])) {
    const [was, is] = [old.get(element) ?? [], fresh.get(element) ?? []];
    if (was.length <= 1 && is.length <= 1) compareBelow(element, was[0], is[0], below, into);
    else compareBelow(element, isNone(was), isNone(is), { kind: "atomic" }, into);
    // What comes twice has no parts that anybody could own.
    if (was.length === 1 && is.length > 1) into.removed.children.set(element, fieldsOf(was[0] as JsonValue, below));
  }
}

function isNone(items: JsonValue[]): JsonValue[] | undefined {
  return items.length === 0 ? undefined : items;
}

function compareBelow(
  element: PathElement,
  before: JsonValue | undefined,
  now: JsonValue | undefined,
  shape: Shape,
  into: Comparison,
): void {
  const below = compareShaped(before, now, shape);
  for (const part of ["added", "modified", "removed"] as const) {
    if (!below[part].isEmpty) into[part].children.set(element, below[part]);
  }
}

/** An item that stays keeps what it is known by. */
function withoutKeys(gone: FieldSet | undefined, shape: ListShape): FieldSet {
  if (gone === undefined) return FieldSet.empty;
  if (gone.isMember || shape.kind === "set") return gone;
  return gone.recursiveDifference(FieldSet.of(...shape.keys.map((key) => [memberElement(key.name)])));
}

/** The value without what the set names; a list or object that loses its last part goes with it. Undefined: nothing is left. */
export function withoutFields(value: JsonValue, gone: FieldSet, shape: Shape): JsonValue | undefined {
  if (gone.isMember) return undefined;
  if (gone.children.size === 0) return value;
  if ((shape.kind === "struct" || shape.kind === "map") && isJsonObject(value)) {
    const kept = emptyObject();
    for (const [name, member, below] of membersOf(value, shape)) {
      const rest = withoutFields(member, gone.children.get(memberElement(name)) ?? FieldSet.empty, below);
      if (rest !== undefined) kept[name] = rest;
    }
    return Object.keys(kept).length === 0 ? undefined : kept;
  }
  if ((shape.kind === "set" || shape.kind === "keyed-list") && Array.isArray(value)) {
    const below: Shape = shape.kind === "keyed-list" ? shape.items : { kind: "atomic" };
    const kept = value.flatMap((item) => {
      const rest = withoutFields(item, withoutKeys(gone.children.get(itemElement(item, shape)), shape), below);
      return rest === undefined ? [] : [rest];
    });
    return kept.length === 0 ? undefined : kept;
  }
  return value;
}
