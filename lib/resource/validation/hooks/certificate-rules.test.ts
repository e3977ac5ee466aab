import { expect, test } from "vitest";
import { Violations } from "../violations.ts";
import { certificateSigningRequestRules as rules } from "./certificate-rules.ts";

const good = { request: "x", signerName: "example.com/signer", usages: ["client auth" as const] };
const certificate = Buffer.from("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----").toString("base64");
const approved = { conditions: [{ type: "Approved", status: "True" as const }] };
const denied = { conditions: [{ type: "Denied", status: "True" as const }] };

function texts(check: (violations: Violations) => void): string[] {
  const violations = new Violations();
  check(violations);
  return violations.causes.map(({ field, message }) => `${field}: ${message}`);
}

test.each([
  [good, []],
  [{ ...good, usages: [] }, ["spec.usages: Required value"]],
  [{ ...good, usages: ["any" as const, "any" as const] }, ['spec.usages[1]: Duplicate value: "any"']],
  [{ ...good, request: "" }, ["spec.request: Required value"]],
  [{ ...good, signerName: "" }, ["spec.signerName: Required value"]],
  [
    { ...good, signerName: "nodomain/x" },
    [
      "spec.signerName: Invalid value: \"nodomain/x\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
    ],
  ],
  [
    { ...good, expirationSeconds: 599 },
    ["spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)"],
  ],
])("a new request %j", (spec, expected) => {
  expect(texts((violations) => rules.create?.({ spec }, violations))).toEqual(expected);
});

test.each<[string, object, object, string[]]>([
  ["approval", approved, {}, []],
  ["status", approved, {}, ['status.conditions: Forbidden: updates may not add a condition of type "Approved"']],
  ["status", { ...approved, certificate }, approved, []],
  ["status", {}, approved, ['status.conditions: Forbidden: updates may not remove a condition of type "Approved"']],
  [
    "approval",
    { conditions: [...approved.conditions, ...denied.conditions] },
    approved,
    ['status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive'],
  ],
  [
    "approval",
    { conditions: [{ type: "Approved", status: "False" }] },
    {},
    ['status.conditions[0].status: Unsupported value: "False": supported values: "True"'],
  ],
  [
    "status",
    { ...approved, certificate: "AAAA" },
    approved,
    [
      'status.certificate: Invalid value: "<certificate data>": must contain one or more CERTIFICATE PEM blocks and nothing else',
    ],
  ],
  [
    "status",
    { ...approved, certificate },
    { ...approved, certificate: "AAAA" },
    ["status.certificate: Forbidden: updates may not modify existing certificate content"],
  ],
])("%s: %j after %j", (subresource, status, old, expected) => {
  const check = (violations: Violations) => rules.subresource?.(subresource, { status }, { status: old }, violations);
  expect(texts(check)).toEqual(expected);
});
