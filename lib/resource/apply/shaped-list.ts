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

/** Items by element, the first of each; `unique` says that a second one is an error. */
export function itemsByElement(
  items: readonly JsonValue[],
  shape: ListShape,
  unique: boolean,
): Map<PathElement, JsonValue> {
  const found = new Map<PathElement, JsonValue>();
  for (const item of items) {
    const element = itemElement(item, shape);
    const first = found.get(element);
    if (first === undefined) found.set(element, item);
    else if (unique && !(shape.kind === "set" && jsonEqual(first, item))) {
      throw new ApplyError(`duplicate entries for key ${pathText([element])}`);
    }
  }
  return found;
}
