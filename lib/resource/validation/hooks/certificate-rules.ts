import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from "../../../gen/k8s/certificates/v1.ts";
import { FieldPath } from "../../field-path.ts";
import type { KindRules } from "../kind-rules.ts";
import { dnsSubdomainProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";

const MIN_SECONDS = 600;
const specPath = FieldPath.of("spec");
const conditionsPath = FieldPath.of("status.conditions");
const certificatePath = FieldPath.of("status.certificate");
const DECISIONS = ["Approved", "Denied"];
/** Always true once they are there. */
const FINAL = [...DECISIONS, "Failed"];

/** Source of rules and texts: kubernetes/kubernetes:pkg/apis/certificates/validation. What the request holds is looked at by admission. */
export const certificateSigningRequestRules: KindRules<CertificateSigningRequest> = {
  create({ spec = {} }, violations) {
    const { usages = [], signerName = "", expirationSeconds, request = "" } = spec;
    if (request === "") violations.required(specPath.child("request"));
    if (usages.length === 0) violations.required(specPath.child("usages"));
    for (const [index, usage] of usages.entries()) {
      if (usages.indexOf(usage) < index) violations.duplicate(specPath.child("usages").index(index), usage);
    }
    checkSignerName(signerName, violations);
    if (expirationSeconds !== undefined && expirationSeconds < MIN_SECONDS) {
      const detail = "may not specify a duration less than 600 seconds (10 minutes)";
      violations.invalid(specPath.child("expirationSeconds"), expirationSeconds, detail);
    }
  },
  subresource(name, { status = {} }, { status: old = {} }, violations) {
    const conditions = status.conditions ?? [];
    checkConditions(conditions, violations);
    checkDecisions(name, conditions, old.conditions ?? [], violations);
    checkCertificate(status.certificate ?? "", old.certificate ?? "", violations);
  },
};

function checkSignerName(name: string, violations: Violations): void {
  const path = specPath.child("signerName");
  if (name === "") {
    violations.required(path);
    return;
  }
  const [domain = "", ...rest] = name.split("/");
  if (rest.length !== 1 || rest[0] === "" || !domain.includes(".")) {
    violations.invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    return;
  }
  violations.invalidEach(path, domain, dnsSubdomainProblems(domain));
  violations.invalidEach(path, rest[0], dnsSubdomainProblems(rest[0]!));
}

function checkConditions(conditions: readonly CertificateSigningRequestCondition[], violations: Violations): void {
  const seen = new Set<string>();
  for (const [index, { type = "", status = "" }] of conditions.entries()) {
    const path = conditionsPath.index(index);
    if (type === "") violations.required(path.child("type"));
    if (seen.has(type)) violations.duplicate(path.child("type"), type);
    seen.add(type);
    if (status === "") violations.required(path.child("status"));
    else if (FINAL.includes(type) && status !== "True") violations.notSupported(path.child("status"), status, ["True"]);
  }
  if (DECISIONS.every((type) => seen.has(type))) {
    violations.invalid(conditionsPath, "Denied", "Approved and Denied conditions are mutually exclusive");
  }
}

/** Decisions come by `approval` alone, and stand. */
function checkDecisions(
  subresource: string,
  conditions: readonly CertificateSigningRequestCondition[],
  old: readonly CertificateSigningRequestCondition[],
  violations: Violations,
): void {
  const has = (list: readonly CertificateSigningRequestCondition[], type: string) =>
    list.some((one) => one.type === type);
  for (const type of FINAL) {
    const was = has(old, type);
    if (was && !has(conditions, type)) {
      violations.forbidden(conditionsPath, `updates may not remove a condition of type ${JSON.stringify(type)}`);
    }
    if (!was && has(conditions, type) && subresource !== "approval" && DECISIONS.includes(type)) {
      violations.forbidden(conditionsPath, `updates may not add a condition of type ${JSON.stringify(type)}`);
    }
  }
}

function checkCertificate(now: string, before: string, violations: Violations): void {
  if (now === before) return;
  if (before !== "") {
    violations.forbidden(certificatePath, "updates may not modify existing certificate content");
    return;
  }
  const pem = Buffer.from(now, "base64").toString("latin1");
  const blocks = [...pem.matchAll(/-----BEGIN ([^-]+)-----/g)].map((match) => match[1]);
  if (blocks.length > 0 && blocks.every((type) => type === "CERTIFICATE")) return;
  violations.invalid(
    certificatePath,
    "<certificate data>",
    "must contain one or more CERTIFICATE PEM blocks and nothing else",
  );
}
