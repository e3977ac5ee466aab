import { DecodeError } from "./decode-error.ts";
import { NumberLiteral } from "./json-text.ts";
import { RawJson } from "./raw-json.ts";

/** A deep copy of JSON-shaped data, RawJson shared, undefined members left out. */
export function copyPlain(value: unknown, maxDepth: number): unknown {
  if (typeof value !== "object" || value === null) {
    return copyScalar(value);
  }
  if (value instanceof RawJson || value instanceof NumberLiteral) {
    return value;
  }
  if (maxDepth <= 0) {
    throw new DecodeError("nested too deeply");
  }
  if (Array.isArray(value)) {
    return value.map((item) => copyPlain(item, maxDepth - 1));
  }
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) {
      continue;
    }
    if (name === "__proto__") {
      Object.defineProperty(copy, name, { value: undefined, writable: true, enumerable: true, configurable: true });
    }
    copy[name] = copyPlain(member, maxDepth - 1);
  }
  return copy;
}

function copyScalar(value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new DecodeError("number is not finite");
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    throw new DecodeError("a string holds half a surrogate pair");
  }
  if (typeof value === "function" || typeof value === "symbol") {
    throw new DecodeError(`a ${typeof value} is not data`);
  }
  return value;
}
