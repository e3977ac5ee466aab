import type { FieldPath } from "../field-path.ts";
import { messageOf } from "../json-fields.ts";
import { isJsonObject, type JsonObject, type JsonValue, memberOf } from "../json-value.ts";
import type { FieldSchema, MessageSchema } from "../schema.ts";
import { dnsLabelProblems, dnsSubdomainProblems, labelValueProblems, qualifiedNameProblems } from "./name-format.ts";
import type { Violations } from "./violations.ts";

type Check = (value: JsonValue | undefined, path: FieldPath, violations: Violations) => void;

interface Plan {
  readonly checks: (readonly [name: string, check: Check])[];
  readonly inlined: Plan[];
  readonly parts: { readonly name: string; readonly kind: "message" | "list" | "map"; readonly plan: Plan }[];
  /** False when nothing below is ever checked. */
  active: boolean;
}

const plans = new WeakMap<MessageSchema, Plan>();

const formats: Readonly<Record<string, (value: string) => string[]>> = {
  "dns-label": dnsLabelProblems,
  "dns-subdomain": dnsSubdomainProblems,
  "label-key": qualifiedNameProblems,
  "label-value": labelValueProblems,
};

/**
 * What annotations say of single fields: values of closed enums, ranges, forms, what must not be empty. `skip` names
 * members of the outermost object that are left alone.
 */
export function checkDeclaredRules(
  schema: MessageSchema,
  object: object,
  path: FieldPath,
  violations: Violations,
  skip: readonly string[] = [],
): void {
  run(planOf(schema), object as JsonObject, path, violations, skip);
}

function planOf(schema: MessageSchema): Plan {
  const known = plans.get(schema);
  if (known !== undefined) return known;
  const order: Plan[] = [];
  const plan = build(schema, order);
  for (let changed = true; changed; ) {
    changed = false;
    for (const one of order.toReversed()) {
      const below = one.inlined.some((inner) => inner.active) || one.parts.some((part) => part.plan.active);
      if (one.active || !below) continue;
      one.active = true;
      changed = true;
    }
  }
  return plan;
}

function build(schema: MessageSchema, order: Plan[]): Plan {
  const known = plans.get(schema);
  if (known !== undefined) return known;
  const plan: Plan = { checks: [], inlined: [], parts: [], active: false };
  plans.set(schema, plan);
  order.push(plan);
  for (const field of schema.fields) {
    const message = messageOf(field);
    if (field.inlined) {
      if (message !== undefined) plan.inlined.push(build(message, order));
      continue;
    }
    if (field.notInJson) continue;
    plan.checks.push(...checksOf(field).map((check) => [field.jsonName, check] as const));
    if (message?.form === "object") {
      const kind = field.mapKey !== undefined ? "map" : field.repeated ? "list" : "message";
      plan.parts.push({ name: field.jsonName, kind, plan: build(message, order) });
    }
  }
  plan.active = plan.checks.length > 0;
  return plan;
}

function checksOf(field: FieldSchema): Check[] {
  const checks: Check[] = [];
  if (field.nonEmpty) checks.push(nonEmpty);
  if (field.enumValues?.closed === true) checks.push(eachItem(field, oneOf(field.enumValues.values)));
  if (field.minimum !== undefined || field.maximum !== undefined) checks.push(inRange(field.minimum, field.maximum));
  const problemsOf = formats[field.format];
  if (problemsOf !== undefined) checks.push(eachItem(field, ofForm(problemsOf)));
  return checks;
}

const nonEmpty: Check = (value, path, violations) => {
  const isEmpty = value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
  if (isEmpty) violations.required(path);
};

function oneOf(supported: readonly string[]): Check {
  return (value, path, violations) => {
    if (typeof value === "string" && value !== "" && !supported.includes(value)) {
      violations.notSupported(path, value, supported);
    }
  };
}

function inRange(minimum: number | undefined, maximum: number | undefined): Check {
  return (value, path, violations) => {
    if (typeof value !== "number" && typeof value !== "bigint") return;
    if (minimum !== undefined && value < minimum) {
      violations.invalid(path, value, `must be greater than or equal to ${minimum}`);
    } else if (maximum !== undefined && value > maximum) {
      violations.invalid(path, value, `must be less than or equal to ${maximum}`);
    }
  };
}

function ofForm(problemsOf: (value: string) => string[]): Check {
  return (value, path, violations) => {
    if (typeof value === "string" && value !== "") violations.invalidEach(path, value, problemsOf(value));
  };
}

function eachItem(field: FieldSchema, check: Check): Check {
  if (!field.repeated || field.mapKey !== undefined) return check;
  return (value, path, violations) => {
    if (!Array.isArray(value)) return;
    value.forEach((item, index) => {
      check(item, path.index(index), violations);
    });
  };
}

function run(plan: Plan, object: JsonObject, path: FieldPath, violations: Violations, skip: readonly string[]): void {
  if (!plan.active) return;
  for (const [name, check] of plan.checks) check(memberOf(object, name), path.child(name), violations);
  for (const inner of plan.inlined) run(inner, object, path, violations, skip);
  for (const part of plan.parts) {
    const value = memberOf(object, part.name);
    if (value === undefined || !part.plan.active || skip.includes(part.name)) continue;
    const below = path.child(part.name);
    if (part.kind === "list") {
      if (!Array.isArray(value)) continue;
      value.forEach((item, index) => {
        if (isJsonObject(item)) run(part.plan, item, below.index(index), violations, []);
      });
    } else if (!isJsonObject(value)) {
    } else if (part.kind === "map") {
      for (const [key, item] of Object.entries(value)) {
        if (isJsonObject(item)) run(part.plan, item, below.key(key), violations, []);
      }
    } else {
      run(part.plan, value, below, violations, []);
    }
  }
}
