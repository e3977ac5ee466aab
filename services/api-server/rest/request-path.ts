import { badRequest, pageNotFound } from "../../../lib/core/status-error.ts";
import { isSafeName } from "../core/safe-name.ts";

/** What a path names: a resource, or something that is no resource (discovery, health). */
export type RequestPath =
  | {
      readonly type: "resource";
      readonly group: string;
      readonly version: string;
      readonly namespace: string;
      readonly resource: string;
      readonly name: string;
      readonly subresource: string;
      /** `/api/v1/watch/…`, the old way to say watch=true. */
      readonly isWatchPath: boolean;
      /** What follows a subresource: the path that a proxy asks for. */
      readonly rest: readonly string[];
    }
  | { readonly type: "other"; readonly path: string };

/** Reads the raw path: no normalisation, so that `..` and `%2e%2e` are names like others, and refused as such. */
export function parsePath(rawPath: string): RequestPath {
  const segments = rawPath.split("/").slice(1);
  if (segments.at(-1) === "") segments.pop();
  const isCore = segments[0] === "api" && segments.length >= 3;
  const isGroup = segments[0] === "apis" && segments.length >= 4;
  if (!isCore && !isGroup) return { type: "other", path: `/${segments.join("/")}` };
  const decoded = segments.map(decodeSegment);
  const group = isCore ? "" : decoded[1]!;
  const version = decoded[isCore ? 1 : 2]!;
  const rest = decoded.slice(isCore ? 2 : 3);
  const isWatchPath = rest[0] === "watch" && rest.length > 1;
  if (isWatchPath) rest.shift();
  const place = { type: "resource" as const, group, version, isWatchPath };
  if (rest[0] !== "namespaces" || rest.length < 3 || isNamespaceSubresource(rest, isCore)) {
    return { ...place, namespace: "", resource: rest[0]!, ...object(rest.slice(1)) };
  }
  return { ...place, namespace: safeName(rest[1]!), resource: rest[2]!, ...object(rest.slice(3)) };
}

function isNamespaceSubresource(rest: readonly string[], isCore: boolean): boolean {
  return isCore && rest.length === 3 && (rest[2] === "status" || rest[2] === "finalize");
}

function object(segments: readonly string[]): { name: string; subresource: string; rest: readonly string[] } {
  const [name = "", subresource = "", ...rest] = segments;
  return { name: segments.length === 0 ? "" : safeName(name), subresource, rest };
}

/** Names become parts of keys: none that could mean another key gets through. */
function safeName(name: string): string {
  if (!isSafeName(name)) throw pageNotFound();
  return name;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest("the path of the request is not valid");
  }
}
