import { badRequest, invalid } from "../../../lib/core/status-error.ts";
import type { ListRequest, WatchRequest } from "../core/list-options.ts";
import type { Body, DeleteRequest, WriteOptions } from "../core/request.ts";
import type { ResourceCore } from "../core/resource-core.ts";

/** As upstream's limit of a manager's name. */
const MANAGER_LENGTH = 128;

/** The options that clients put into the query. */
export function listRequestOf(query: URLSearchParams): ListRequest {
  if (query.has("sendInitialEvents")) {
    const cause = {
      reason: "FieldValueForbidden",
      message: "Forbidden: sendInitialEvents is forbidden for list",
      field: "sendInitialEvents",
    };
    throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", [cause]);
  }
  return {
    selectors: selectorsOf(query),
    resourceVersion: query.get("resourceVersion") ?? "",
    resourceVersionMatch: query.get("resourceVersionMatch") ?? "",
    limit: numberOf(query, "limit") ?? 0,
    continue: query.get("continue") ?? "",
  };
}

export function watchRequestOf(query: URLSearchParams): WatchRequest {
  return {
    selectors: selectorsOf(query),
    resourceVersion: query.get("resourceVersion") ?? "",
    resourceVersionMatch: query.get("resourceVersionMatch") ?? "",
    allowBookmarks: isTrue(query.get("allowWatchBookmarks")),
    sendInitialEvents: query.has("sendInitialEvents") ? isTrue(query.get("sendInitialEvents")) : undefined,
    timeoutSeconds: numberOf(query, "timeoutSeconds") ?? 0,
  };
}

/** A write without `fieldManager` is by the program that the user agent names first. */
export function writeOptionsOf(query: URLSearchParams, userAgent?: string): WriteOptions {
  const validation = query.get("fieldValidation") || "Warn";
  if (validation !== "Strict" && validation !== "Warn" && validation !== "Ignore") {
    throw unsupported("fieldValidation", validation, ["Ignore", "Strict", "Warn"]);
  }
  checkManager(query.get("fieldManager") ?? "");
  const fieldManager = (query.get("fieldManager") || userAgent?.split("/")[0] || "").slice(0, MANAGER_LENGTH);
  return {
    dryRun: isDryRun(query.getAll("dryRun")),
    fieldValidation: validation,
    ...(fieldManager === "" ? {} : { fieldManager }),
    ...(query.has("force") ? { force: isTrue(query.get("force")) } : {}),
  };
}

/** Source: kubernetes/apimachinery:pkg/apis/meta/v1/validation. */
function checkManager(name: string): void {
  const field = "fieldManager";
  const refuse = (reason: string, message: string): Error =>
    invalid({ group: "meta.k8s.io", kind: "CreateOptions" }, "", [{ reason, message, field }]);
  if (Buffer.byteLength(name) > MANAGER_LENGTH) {
    throw refuse("FieldValueTooLong", `Too long: may not be more than ${MANAGER_LENGTH} bytes`);
  }
  if (/[^\P{C}]|[^\P{Z} ]/u.test(name)) {
    const shown = JSON.stringify(name);
    throw refuse("FieldValueInvalid", `Invalid value: ${shown}: should only contain printable characters`);
  }
}

export function deleteRequestOf(query: URLSearchParams, body: Body | undefined, core: ResourceCore): DeleteRequest {
  const sent = body === undefined ? {} : core.deleteOptions(body);
  const dryRun = isDryRun(query.getAll("dryRun")) || isDryRun(sent.dryRun ?? []);
  const grace = numberOf(query, "gracePeriodSeconds") ?? sent.gracePeriodSeconds;
  const orphans = query.has("orphanDependents") ? isTrue(query.get("orphanDependents")) : sent.orphanDependents;
  const policy = query.get("propagationPolicy") ?? sent.propagationPolicy ?? policyOf(orphans);
  if (policy !== undefined && policy !== "Orphan" && policy !== "Background" && policy !== "Foreground") {
    throw unsupported("propagationPolicy", policy, ["Foreground", "Background", "Orphan"], "DeleteOptions");
  }
  return {
    dryRun,
    ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(sent.preconditions?.uid === undefined ? {} : { uid: sent.preconditions.uid }),
    ...(sent.preconditions?.resourceVersion === undefined
      ? {}
      : { resourceVersion: sent.preconditions.resourceVersion }),
  };
}

function policyOf(orphanDependents: boolean | undefined): "Orphan" | "Background" | undefined {
  if (orphanDependents === undefined) return undefined;
  return orphanDependents ? "Orphan" : "Background";
}

function selectorsOf(query: URLSearchParams): { label: string; field: string } {
  return { label: query.get("labelSelector") ?? "", field: query.get("fieldSelector") ?? "" };
}

function isDryRun(values: readonly string[]): boolean {
  for (const value of values) if (value !== "All" && value !== "") throw unsupported("dryRun", value, ["All"]);
  return values.includes("All");
}

function unsupported(field: string, value: string, supported: readonly string[], kind = "CreateOptions"): Error {
  const names = supported.map((name) => JSON.stringify(name)).join(", ");
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${names}`;
  return invalid({ group: "meta.k8s.io", kind }, "", [{ reason: "FieldValueNotSupported", message, field }]);
}

/** As upstream reads booleans: given and not a word for no. */
export function isTrue(value: string | null): boolean {
  return value !== null && !["false", "0", "False", "FALSE", "f", "F"].includes(value);
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^-?[0-9]{1,15}$/.test(text))
    throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be a number`);
  return Number(text);
}
