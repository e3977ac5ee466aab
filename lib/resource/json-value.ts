/** A value in JSON shape; integers beyond 2^53 are bigint. */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject;

/** An object in JSON shape; made with a null prototype, so that `__proto__` is a name like any other. */
export type JsonObject = { [name: string]: JsonValue };

/** True for an object that is neither null nor a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The own member, or undefined: never something inherited. */
export function memberOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function emptyObject(): JsonObject {
  return Object.create(null) as JsonObject;
}

/** A deep copy that shares nothing with the original; all its objects have null prototypes. */
export function cloneJson<T extends JsonValue>(value: T): T;
export function cloneJson(value: JsonValue): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => cloneJson(item));
  const copy = emptyObject();
  for (const name of Object.keys(value)) copy[name] = cloneJson(value[name] as JsonValue);
  return copy;
}

/** Deep equality as JSON sees it: the order of members does not matter, 1 and 1n are equal. */
export function jsonEqual(left: JsonValue | undefined, right: JsonValue | undefined): boolean {
  if (left === right) return true;
  if (typeof left === "bigint") return typeof right === "number" && left === toBigInt(right);
  if (typeof right === "bigint") return typeof left === "number" && right === toBigInt(left);
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, index) => jsonEqual(item, right[index] as JsonValue))
    );
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && jsonEqual(left[name], right[name]));
}

function toBigInt(value: number): bigint | undefined {
  return Number.isInteger(value) ? BigInt(value) : undefined;
}
