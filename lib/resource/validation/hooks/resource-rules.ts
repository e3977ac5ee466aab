import { compareQuantities, parseQuantity, type Quantity } from "../../../core/quantity.ts";
import type { ResourceRequirements } from "../../../gen/k8s/core/v1.ts";
import type { FieldPath } from "../../field-path.ts";
import { qualifiedNameProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";

const ZERO: Quantity = { nano: 0n, format: "decimal" };
const WHOLE_NANO = 1_000_000_000n;

/** The resources that a container may name without a domain. */
const standardNames = ["cpu", "memory", "ephemeral-storage"];

type Amounts = Readonly<Record<string, string>>;

/** Requests and limits of a container or pod. */
export function checkResources(
  resources: ResourceRequirements | undefined,
  path: FieldPath,
  violations: Violations,
): void {
  if (resources === undefined) return;
  const { limits = {}, requests = {} } = resources;
  checkAmounts(limits, path.child("limits"), violations);
  checkAmounts(requests, path.child("requests"), violations);
  for (const [name, request] of Object.entries(requests)) {
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined;
    const isNative = !name.includes("/") || name.includes("kubernetes.io/");
    if (limit === undefined) {
      if (!isNative) violations.required(path.child("limits"), "Limit must be set for non overcommitable resources");
      continue;
    }
    const order = compareQuantities(parseQuantity(request), parseQuantity(limit));
    const at = path.child("requests");
    if (!isOvercommitted(name) && order !== 0) {
      violations.invalid(at, request, `must be equal to ${name} limit of ${limit}`);
    } else if (order > 0) {
      violations.invalid(at, request, `must be less than or equal to ${name} limit of ${limit}`);
    }
  }
}

function isOvercommitted(name: string): boolean {
  return standardNames.includes(name) || (name.includes("kubernetes.io/") && !name.startsWith("requests."));
}

function checkAmounts(amounts: Amounts, path: FieldPath, violations: Violations): void {
  for (const [name, amount] of Object.entries(amounts)) {
    const at = path.key(name);
    violations.invalidEach(at, name, qualifiedNameProblems(name));
    if (!name.includes("/") && !standardNames.includes(name) && !name.startsWith("hugepages-")) {
      violations.invalid(at, name, "must be a standard resource for containers");
    }
    checkQuantity(amount, at, violations, !standardNames.includes(name));
  }
}

/** An amount that is at least zero, and for some resources whole. */
export function checkQuantity(amount: string, path: FieldPath, violations: Violations, whole = false): void {
  const quantity = parseQuantity(amount);
  if (compareQuantities(quantity, ZERO) < 0) {
    violations.invalid(path, amount, "must be greater than or equal to 0");
  } else if (whole && quantity.nano % WHOLE_NANO !== 0n) {
    violations.invalid(path, amount, "must be an integer");
  }
}
