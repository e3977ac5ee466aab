import { badRequest, invalid } from "../../../lib/core/status-error.ts";
import type { SelectorTexts } from "./request.ts";

/** What a list or watch asks, as text where the text matters. */
export interface ListRequest {
  readonly selectors: SelectorTexts;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly limit: number;
  readonly continue: string;
}

export interface WatchRequest {
  readonly selectors: SelectorTexts;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly allowBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  /** 0: the server decides. */
  readonly timeoutSeconds: number;
  /** A bookmark as soon as all is sent that the store held when it was asked. */
  readonly bookmarkWhenCurrent?: boolean;
}

/** Which state a list is of: the newest, any, at least this revision, or exactly this one. */
export type ListMode =
  | { readonly type: "newest" }
  | { readonly type: "any" }
  | { readonly type: "notOlderThan"; readonly revision: number }
  | { readonly type: "exact"; readonly revision: number };

/** Reads a resourceVersion of a request; empty gives 0. */
export function parseRevision(text: string): number {
  if (text === "") return 0;
  const revision = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(revision)) return revision;
  throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}: invalid resource version`);
}

/** Source of the rules: k8s.io/docs/reference/using-api/api-concepts#resource-versions. */
export function listModeOf(request: ListRequest): ListMode {
  const { resourceVersion: version, resourceVersionMatch: match } = request;
  if (!Number.isSafeInteger(request.limit) || request.limit < 0) {
    throw badRequest(`limit: Invalid value: ${request.limit}: must be a number that is not negative`);
  }
  if (match !== "") {
    if (request.continue !== "") throw refuse("resourceVersionMatch is forbidden when continue is provided");
    if (version === "") throw refuse("resourceVersionMatch is forbidden unless resourceVersion is provided");
    checkMatch(match);
    if (match === "Exact" && version === "0") {
      throw refuse('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
  }
  const revision = parseRevision(version);
  if (version === "") return { type: "newest" };
  if (revision === 0) return { type: "any" };
  if (match === "Exact" || (match === "" && request.limit > 0)) return { type: "exact", revision };
  return { type: "notOlderThan", revision };
}

export function checkWatchRequest(request: WatchRequest): void {
  const { resourceVersionMatch: match } = request;
  if (request.sendInitialEvents !== undefined) {
    if (match !== "NotOlderThan") {
      throw refuse("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan", "resourceVersionMatch");
    }
    return;
  }
  if (match !== "") throw refuse("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
}

function checkMatch(match: string): void {
  if (match === "Exact" || match === "NotOlderThan") return;
  const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan"`;
  throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", [
    { reason: "FieldValueNotSupported", message, field: "resourceVersionMatch" },
  ]);
}

function refuse(why: string, field = "resourceVersionMatch"): Error {
  const cause = { reason: "FieldValueForbidden", message: `Forbidden: ${why}`, field };
  return invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", [cause]);
}
