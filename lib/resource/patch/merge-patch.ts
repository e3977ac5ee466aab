import { cloneJson, emptyObject, isJsonObject, type JsonObject, type JsonValue } from "../json-value.ts";
import { PatchError } from "./patch-error.ts";

/** JSON merge patch (RFC 7386). Neither argument is changed. Throws PatchError when the patch is not an object. */
export function applyMergePatch(current: JsonObject, patch: JsonValue): JsonObject {
  if (!isJsonObject(patch)) throw new PatchError("malformed", "error decoding patch: a merge patch must be an object");
  return merge(cloneJson(current), patch);
}

/** Merges `patch` into `target`, which is changed; a `target` that is no object is replaced by one. */
export function mergeJson(target: JsonValue | undefined, patch: JsonObject): JsonObject {
  return merge(isJsonObject(target) ? target : emptyObject(), patch);
}

function merge(target: JsonObject, patch: JsonObject): JsonObject {
  for (const name of Object.keys(patch)) {
    const value = patch[name] as JsonValue;
    if (value === null) delete target[name];
    else if (isJsonObject(value)) target[name] = mergeJson(target[name], value);
    else target[name] = cloneJson(value);
  }
  return target;
}
