import type { JsonValue } from "../json-value.ts";

/**
 * One step of a field path as managed fields write it: `f:name` (a member), `k:{"name":"a"}` (the list item with these
 * keys), `v:"x"` (the item of a set), `i:3` (by position). Source: KEP-555, structured-merge-diff's `fieldpath`.
 */
export type PathElement = string;

export function memberElement(name: string): PathElement {
  return `f:${name}`;
}

/** Keys are written in the order of their names. */
export function keyElement(keys: Readonly<Record<string, JsonValue>>): PathElement {
  const sorted = Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `k:${JSON.stringify(sorted)}`;
}

export function valueElement(value: JsonValue): PathElement {
  return `v:${typeof value === "bigint" ? String(value) : JSON.stringify(value)}`;
}

/** As messages show a path: `.spec.containers[name="a"].image`. */
export function pathText(path: readonly PathElement[]): string {
  return path.map(elementText).join("");
}

function elementText(element: PathElement): string {
  const rest = element.slice(2);
  if (element.startsWith("f:")) return `.${rest}`;
  if (element.startsWith("v:")) return `[=${rest}]`;
  if (element.startsWith("i:")) return `[${rest}]`;
  const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
  return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}]`;
}
