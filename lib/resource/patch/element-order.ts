import { isJsonObject, type JsonValue, memberOf } from "../json-value.ts";
import { PatchError } from "./patch-error.ts";

/** Tells what an item of a list is known by; equal identities are the same item. */
export type Identity = (item: JsonValue) => string;

/** Scalars are known by their value; 1 and "1" differ. */
export const identityOfScalar: Identity = (item) =>
  typeof item === "object" && item !== null ? `object:${JSON.stringify(item)}` : `${scalarKind(item)}:${String(item)}`;

function scalarKind(item: JsonValue): string {
  return typeof item === "bigint" ? "number" : typeof item;
}

/** Objects are known by the value of one member; an object without it throws PatchError. */
export function identityByKey(mergeKey: string): Identity {
  return (item) => {
    const value = isJsonObject(item) ? memberOf(item, mergeKey) : undefined;
    if (value !== undefined && value !== null) return identityOfScalar(value);
    throw new PatchError("rejected", `map does not contain declared merge key: ${mergeKey}`);
  };
}

/**
 * Puts items in order: those that `order` names stand as it says; the others keep the order they had in `original`; and
 * where both came from `original`, an item stays before the one that it preceded there.
 */
export function inOrder(
  items: readonly JsonValue[],
  order: readonly JsonValue[],
  original: readonly JsonValue[],
  identity: Identity,
): JsonValue[] {
  const asked = positionsOf(order, identity);
  const before = positionsOf(original, identity);
  const place = (positions: Map<string, number>, item: JsonValue): number => positions.get(identity(item)) ?? Infinity;
  const compare = (left: number, right: number): number => (left === right ? 0 : left - right);
  const named = items.filter((item) => asked.has(identity(item)));
  const others = items.filter((item) => !asked.has(identity(item)));
  named.sort((left, right) => compare(place(asked, left), place(asked, right)));
  others.sort((left, right) => compare(place(before, left), place(before, right)));
  const result: JsonValue[] = [];
  while (named.length > 0 && others.length > 0) {
    const otherPlace = before.get(identity(others[0] as JsonValue));
    const namedPlace = before.get(identity(named[0] as JsonValue));
    const otherFirst = otherPlace !== undefined && namedPlace !== undefined && otherPlace < namedPlace;
    result.push((otherFirst ? others : named).shift() as JsonValue);
  }
  return [...result, ...named, ...others];
}

function positionsOf(list: readonly JsonValue[], identity: Identity): Map<string, number> {
  const positions = new Map<string, number>();
  list.forEach((item, index) => {
    const id = identity(item);
    if (!positions.has(id)) positions.set(id, index);
  });
  return positions;
}

/** The items of a patch must stand in the order that the patch itself asks for. */
export function checkAgainstOrder(
  patch: readonly JsonValue[],
  order: readonly JsonValue[],
  identity: Identity,
  isDirective: (item: JsonValue) => boolean,
): void {
  if (order.length === 0) return;
  let position = 0;
  for (const item of patch) {
    if (isDirective(item)) continue;
    const id = identity(item);
    while (position < order.length && identity(order[position] as JsonValue) !== id) position++;
    if (position === order.length) {
      throw new PatchError("rejected", "The order in patch list doesn't match $setElementOrder list");
    }
    position++;
  }
}
