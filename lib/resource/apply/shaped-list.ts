import { isJsonObject, type JsonValue, jsonEqual, memberOf } from "../json-value.ts";
import { ApplyError } from "./apply-error.ts";
import { keyElement, type PathElement, pathText, valueElement } from "./path-element.ts";
import type { ListKey, Shape } from "./shape.ts";

export type ListShape = Extract<Shape, { kind: "set" | "keyed-list" }>;

/** What an item of the list is called in paths. Throws ApplyError for an item without a key. */
export function itemElement(item: JsonValue, shape: ListShape): PathElement {
  return shape.kind === "set" ? valueElement(item) : keyElement(keysOf(item, shape.keys));
}

function keysOf(item: JsonValue, keys: readonly ListKey[]): Record<string, JsonValue> {
  const found: Record<string, JsonValue> = {};
  if (!isJsonObject(item)) throw new ApplyError("associative list with keys may not have non-map elements");
  for (const key of keys) {
    const value = memberOf(item, key.name) ?? key.default;
    if (value !== undefined && value !== null) found[key.name] = value;
  }
  if (Object.keys(found).length > 0) return found;
  const names = keys.map((key) => JSON.stringify(key.name)).join(", ");
  throw new ApplyError(`associative list with keys has an element that omits key field ${names}`);
}

/**
 * Items by element. Nothing may be there twice in what a client applies (`unique`: ApplyError); stored lists may have been
 * written otherwise, and what is there twice then counts as one value without parts.
 */
export function itemsByElement(
  items: readonly JsonValue[],
  shape: ListShape,
  unique: boolean,
): Map<PathElement, JsonValue[]> {
  const found = Map.groupBy(items, (item) => itemElement(item, shape));
  for (const [element, same] of found) {
    if (!unique || same.length === 1) continue;
    if (shape.kind === "set" && same.every((item) => jsonEqual(item, same[0]))) found.set(element, same.slice(0, 1));
    else throw new ApplyError(`duplicate entries for key ${pathText([element])}`);
  }
  return found;
}

/**
 * Items of two lists in one order: as `over` has them; those that only `under` has stand before what follows them there,
 * and before items that only `over` has at the same place (structured-merge-diff's order since 4.3).
 */
export function interleaved(
  under: readonly JsonValue[],
  over: readonly JsonValue[],
  shape: ListShape,
  merge: (element: PathElement, item: JsonValue) => JsonValue,
): JsonValue[] {
  const below = under.map((item) => itemElement(item, shape));
  const above = over.map((item) => itemElement(item, shape));
  const inUnder = new Set(below);
  const inOver = new Set(above);
  const shared = above.filter((element) => inUnder.has(element));
  const result: JsonValue[] = [];
  let position = 0;
  const takeUntil = (next: PathElement | undefined): void => {
    for (; position < below.length && below[position] !== next; position++) {
      if (!inOver.has(below[position] as PathElement)) result.push(under[position] as JsonValue);
    }
  };
  takeUntil(shared.shift());
  over.forEach((item, index) => {
    const element = above[index] as PathElement;
    result.push(merge(element, item));
    if (inUnder.has(element)) takeUntil(shared.shift());
  });
  return result;
}
