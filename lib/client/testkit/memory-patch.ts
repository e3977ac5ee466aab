import { badRequest } from "../../core/status-error.ts";
import type { Patch } from "../api-client.ts";

type Json = Record<string, unknown>;

/** Merge keys of the lists that our roles patch; a list not named here is replaced. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  conditions: "type",
  addresses: "type",
  ownerReferences: "uid",
  containers: "name",
  initContainers: "name",
  volumes: "name",
  env: "name",
  images: "names",
};

/** The patches that tests need: merge (RFC 7386), JSON patch, and strategic merge with the commonest merge keys. */
export function applyMemoryPatch(target: object, patch: Patch): object {
  if (patch.type === "json") return jsonPatch(target, patch.body);
  return merge(target as Json, patch.body as Json, patch.type === "strategic");
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merge(target: Json, patch: Json, strategic: boolean): Json {
  const result: Json = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith("$setElementOrder/")) continue;
    const deletion = /^\$deleteFromPrimitiveList\/(.+)$/.exec(name)?.[1];
    const old = result[name];
    if (strategic && deletion !== undefined)
      result[deletion] = ((result[deletion] ?? []) as unknown[]).filter((item) => !(value as unknown[]).includes(item));
    else if (value === null) delete result[name];
    else if (isObject(value)) result[name] = merge(isObject(old) ? old : {}, value, strategic);
    else if (strategic && Array.isArray(value) && Array.isArray(old)) result[name] = mergeLists(name, old, value);
    else result[name] = value;
  }
  return result;
}

function mergeLists(name: string, old: readonly unknown[], patch: readonly unknown[]): unknown[] {
  if (name === "finalizers") return [...new Set([...old, ...patch])];
  const key = MERGE_KEYS[name];
  if (key === undefined) return [...patch];
  const merged = [...old] as Json[];
  for (const item of patch as Json[]) {
    const at = merged.findIndex((candidate) => candidate[key] === item[key]);
    if (item["$patch"] === "delete") {
      if (at >= 0) merged.splice(at, 1);
    } else if (at >= 0) merged[at] = merge(merged[at]!, item, true);
    else merged.push(item);
  }
  return merged;
}

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

function jsonPatch(target: object, body: unknown): object {
  const result = structuredClone(target) as Json;
  for (const { op, path, value } of body as Operation[]) {
    const segments = path
      .split("/")
      .slice(1)
      .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = segments.pop() ?? "";
    let parent: unknown = result;
    for (const segment of segments) parent = (parent as Json)[segment];
    if (Array.isArray(parent)) patchList(parent, op, last, value);
    else patchMember(parent as Json, op, last, value);
  }
  return result;
}

function patchMember(parent: Json, op: string, name: string, value: unknown): void {
  if (op === "add" || op === "replace") parent[name] = value;
  else if (op === "remove") delete parent[name];
  else if (op === "test" && JSON.stringify(parent[name]) === JSON.stringify(value)) return;
  else throw badRequest(`patch operation ${op} failed`);
}

function patchList(parent: unknown[], op: string, index: string, value: unknown): void {
  const at = index === "-" ? parent.length : Number(index);
  if (op === "add") parent.splice(at, 0, value);
  else if (op === "replace") parent[at] = value;
  else if (op === "remove") parent.splice(at, 1);
  else throw badRequest(`patch operation ${op} failed`);
}
