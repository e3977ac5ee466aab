import { expect } from "vitest";
import type { HttpAnswer } from "../api/api-fixture.ts";

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  408: "Timeout",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  504: "Timeout",
};

/** What an error may never tell: places in our source, a stack, names of the runtime's own errors. */
export const INTERNAL =
  /\\n\s+at |file:\/\/|\.ts:\d|node:|node_modules|TypeError|RangeError|SyntaxError|SQLITE|undefined|\[object /;

interface Refusal {
  readonly kind: string;
  readonly apiVersion: string;
  readonly status: string;
  readonly message: string;
  readonly reason: string;
  readonly code: number;
  readonly details?: {
    readonly causes?: readonly { readonly reason: string; readonly message: string; readonly field?: string }[];
    readonly retryAfterSeconds?: number;
  };
}

/** Checks that an answer is a whole Status with that code and its reason, and gives it. */
export function expectRefused(answer: HttpAnswer, code: number, says?: string | RegExp): Refusal {
  expect(answer.status, answer.text).toBe(code);
  expect(answer.headers["content-type"]).toBe("application/json");
  const status = answer.json() as unknown as Refusal;
  expect(status).toMatchObject({ kind: "Status", apiVersion: "v1", status: "Failure", code });
  expect(status.reason).toBe(REASONS[code]);
  expect(status.message).not.toBe("");
  expect(answer.text).not.toMatch(INTERNAL);
  if (says !== undefined) expect(status.message).toMatch(says);
  return status;
}
