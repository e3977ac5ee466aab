/** One reason of a Status, as clients print it. `field` is a JSON path such as `spec.containers[0].name`. */
export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

/** The wire form of `k8s.io.apimachinery.pkg.apis.meta.v1.Status` in JSON. */
export interface StatusObject {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: Record<string, never>;
  readonly status: "Failure" | "Success";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** Group and plural (or kind, for `Invalid`) that a message names; group empty for core. */
export interface Named {
  readonly group: string;
  readonly resource: string;
}

/**
 * A failure that an API client is told as a Status. `message` is safe to show; what must stay private goes into
 * `cause`. Texts and reasons follow kubernetes/apimachinery:pkg/api/errors, since clients match on them.
 */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, options?: ErrorOptions) {
    super(message, options);
    this.name = "StatusError";
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): StatusObject {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      ...(this.reason === "" ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

function qualified(named: Named): string {
  return named.group === "" ? named.resource : `${named.resource}.${named.group}`;
}

function detailsOf(named: Named, name: string): StatusDetails {
  return { name, ...(named.group === "" ? {} : { group: named.group }), kind: named.resource };
}

export function notFound(named: Named, name: string): StatusError {
  return new StatusError(404, "NotFound", `${qualified(named)} "${name}" not found`, detailsOf(named, name));
}

/** The path leads nowhere: no such resource, group or version. */
export function pageNotFound(): StatusError {
  return new StatusError(404, "NotFound", "the server could not find the requested resource", {});
}

export function alreadyExists(named: Named, name: string): StatusError {
  return new StatusError(409, "AlreadyExists", `${qualified(named)} "${name}" already exists`, detailsOf(named, name));
}

export function conflict(named: Named, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(named)} "${name}": ${why}`;
  return new StatusError(409, "Conflict", message, detailsOf(named, name));
}

/** The sentence that client-go's retry helpers and people know. */
export const OBJECT_MODIFIED =
  "the object has been modified; please apply your changes to the latest version and try again";

/** `kind` is the kind, not the plural: upstream names it so for Invalid. */
export function invalid(
  kind: { group: string; kind: string },
  name: string,
  causes: readonly StatusCause[],
): StatusError {
  const qualifiedKind = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const texts = causes.map((cause) => (cause.field === undefined ? cause.message : `${cause.field}: ${cause.message}`));
  const summary = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  return new StatusError(422, "Invalid", `${qualifiedKind} "${name}" is invalid: ${summary}`, {
    name,
    ...(kind.group === "" ? {} : { group: kind.group }),
    kind: kind.kind,
    causes,
  });
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, "BadRequest", message);
}

export function unauthorized(): StatusError {
  return new StatusError(401, "Unauthorized", "Unauthorized");
}

export function forbidden(named: Named, name: string, why: string): StatusError {
  const subject = name === "" ? qualified(named) : `${qualified(named)} "${name}"`;
  const shown = named.resource === "" ? "forbidden" : `${subject} is forbidden`;
  return new StatusError(403, "Forbidden", `${shown}: ${why}`, detailsOf(named, name));
}

export function methodNotSupported(named: Named, verb: string): StatusError {
  const message = `${verb} is not supported on resources of kind "${qualified(named)}"`;
  return new StatusError(405, "MethodNotAllowed", message, detailsOf(named, ""));
}

export function notAcceptable(supported: readonly string[]): StatusError {
  const message = `only the following media types are accepted: ${supported.join(", ")}`;
  return new StatusError(406, "NotAcceptable", message);
}

export function unsupportedMediaType(supported: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${supported.join(", ")}`;
  return new StatusError(415, "UnsupportedMediaType", message);
}

export function requestEntityTooLarge(message: string): StatusError {
  return new StatusError(413, "RequestEntityTooLarge", message);
}

export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError(429, "TooManyRequests", message, { retryAfterSeconds });
}

/** History is gone: list again. */
export function expired(message: string): StatusError {
  return new StatusError(410, "Expired", message);
}

/** A resourceVersion from the future; source: kubernetes/apiserver:pkg/storage/errors.go. */
export function tooLargeResourceVersion(asked: string, current: string): StatusError {
  return new StatusError(504, "Timeout", `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}

export function serviceUnavailable(message: string, cause?: unknown): StatusError {
  return new StatusError(503, "ServiceUnavailable", message, undefined, cause === undefined ? undefined : { cause });
}

/** Private details go to the log by `cause`; the client learns only that it was our fault. */
export function internalError(cause: unknown): StatusError {
  const message = "Internal error occurred: see the server's log";
  return new StatusError(
    500,
    "InternalError",
    message,
    { causes: [{ reason: "", message: "internal error" }] },
    { cause },
  );
}

/** Turns whatever was thrown into a StatusError; unknown throws become an opaque InternalError. */
export function asStatusError(thrown: unknown): StatusError {
  return thrown instanceof StatusError ? thrown : internalError(thrown);
}
