import { jsonFields, messageOf } from "../json-fields.ts";
import { isJsonObject, type JsonObject, type JsonValue, memberOf } from "../json-value.ts";
import type { DefaultValue, FieldDefault, FieldSchema, MessageSchema } from "../schema.ts";
import type { DefaultHook } from "./default-hook.ts";
import { defaultHook } from "./default-hooks.ts";
import { isWholeThousandths, roundUpToThousandths } from "./resource-quantity.ts";

/** A rule with all look-ups done. */
interface Step {
  /** Members to walk from the message; the last is the one that the rule fills. */
  readonly path: readonly PathPart[];
  readonly rule: FieldDefault;
}

interface PathPart {
  readonly name: string;
  readonly presence: boolean;
}

interface Part {
  readonly name: string;
  readonly kind: "message" | "absent-message" | "list" | "map" | "quantities";
  readonly plan: Plan;
}

/** What must be done to a message of one type and to all below it. */
interface Plan {
  readonly steps: Step[];
  readonly hooks: DefaultHook[];
  /** Inlined messages, whose members are those of this object. */
  readonly inlined: Plan[];
  readonly parts: Part[];
  /** False when nothing below ever changes anything, so that the walk stops here. */
  active: boolean;
}

const plans = new WeakMap<MessageSchema, Plan>();

/** The plan of a message, made once. */
export function planOf(schema: MessageSchema): Plan {
  const known = plans.get(schema);
  if (known !== undefined) return known;
  const order: Plan[] = [];
  const plan = build(schema, order);
  settleActive(order);
  return plan;
}

function build(schema: MessageSchema, order: Plan[]): Plan {
  const known = plans.get(schema);
  if (known !== undefined) return known;
  const plan: Plan = { steps: [], hooks: [], inlined: [], parts: [], active: false };
  plans.set(schema, plan);
  order.push(plan);
  for (const rule of schema.defaults) plan.steps.push({ path: pathOf(schema, rule.path), rule });
  for (const field of schema.fields) {
    const message = messageOf(field);
    if (field.inlined && message !== undefined) plan.inlined.push(build(message, order));
    if (field.inlined || field.notInJson) continue;
    if (field.default !== undefined) {
      plan.steps.push({ path: [{ name: field.jsonName, presence: field.presence }], rule: field.default });
    }
    if (message !== undefined) addPart(plan, field, message, order);
  }
  plan.hooks.push(...schema.defaultHooks.map(defaultHook));
  return plan;
}

function addPart(plan: Plan, field: FieldSchema, message: MessageSchema, order: Plan[]): void {
  const name = field.jsonName;
  if (field.mapKey !== undefined && message.form === "quantity") {
    plan.parts.push({ name, kind: "quantities", plan: { ...emptyPlan, active: true } });
  } else if (message.form === "object") {
    const single = field.presence ? "message" : "absent-message";
    const kind = field.mapKey !== undefined ? "map" : field.repeated ? "list" : single;
    plan.parts.push({ name, kind, plan: build(message, order) });
  }
}

const emptyPlan: Plan = { steps: [], hooks: [], inlined: [], parts: [], active: false };

function pathOf(schema: MessageSchema, path: string): PathPart[] {
  let message: MessageSchema | undefined = schema;
  return path.split(".").map((name) => {
    const field: FieldSchema | undefined = message === undefined ? undefined : jsonFields(message).get(name);
    if (field === undefined) throw new Error(`${schema.name}: a default names ${path}, which is no field`);
    message = messageOf(field);
    return { name, presence: field.presence };
  });
}

/** Messages may refer to themselves, so what is active spreads until nothing changes. */
function settleActive(order: readonly Plan[]): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const plan of order.toReversed()) {
      const active =
        plan.steps.length > 0 ||
        plan.hooks.length > 0 ||
        plan.inlined.some((inner) => inner.active) ||
        plan.parts.some((part) => part.plan.active);
      if (active && !plan.active) {
        plan.active = true;
        changed = true;
      }
    }
  }
}

/** Carries the plan out on a value, in place. */
export function runPlan(plan: Plan, value: JsonObject): void {
  if (!plan.active) return;
  const hasHooks = plan.hooks.length > 0;
  const asSent: Readonly<JsonObject> = hasHooks ? { ...value } : value;
  for (const step of plan.steps) fill(value, step);
  for (const hook of plan.hooks) hook(value, asSent);
  for (const inner of plan.inlined) runPlan(inner, value);
  for (const part of plan.parts) if (part.plan.active) runPart(part, value);
}

function runPart({ name, kind, plan }: Part, owner: JsonObject): void {
  const value = memberOf(owner, name);
  if (kind === "list") {
    if (Array.isArray(value)) for (const item of value) if (isJsonObject(item)) runPlan(plan, item);
  } else if (kind === "quantities") {
    if (isJsonObject(value)) roundQuantities(value);
  } else if (kind === "map") {
    if (isJsonObject(value)) for (const key of Object.keys(value)) runPlan(plan, value[key] as JsonObject);
  } else if (isJsonObject(value)) {
    runPlan(plan, value);
  } else if (kind === "absent-message") {
    const filled: JsonObject = {};
    runPlan(plan, filled);
    if (Object.keys(filled).length > 0) owner[name] = filled;
  }
}

function roundQuantities(quantities: JsonObject): void {
  for (const name of Object.keys(quantities)) {
    const text = quantities[name];
    if (typeof text === "string" && !isWholeThousandths(text)) quantities[name] = roundUpToThousandths(text);
  }
}

function fill(value: JsonObject, { path, rule }: Step): void {
  const last = path[path.length - 1] as PathPart;
  const parents = path.slice(0, -1);
  const holder = holderOf(value, parents);
  if (holder !== undefined && Object.hasOwn(holder, last.name)) return;
  if (holder === undefined && parents.some((part) => part.presence)) return;
  if (!holds(rule, value)) return;
  const filled = rule.copyOf === undefined ? rule.value : valueAt(value, rule.copyOf);
  if (filled === undefined || (!last.presence && isZero(filled))) return;
  (holder ?? makeHolder(value, parents))[last.name] = copyOf(filled);
}

function holderOf(value: JsonObject, parents: readonly PathPart[]): JsonObject | undefined {
  let holder = value;
  for (const { name } of parents) {
    const next = memberOf(holder, name);
    if (!isJsonObject(next)) return undefined;
    holder = next;
  }
  return holder;
}

function makeHolder(value: JsonObject, parents: readonly PathPart[]): JsonObject {
  let holder = value;
  for (const { name } of parents) {
    const next = memberOf(holder, name);
    const made = isJsonObject(next) ? next : {};
    holder[name] = made;
    holder = made;
  }
  return holder;
}

function holds(rule: FieldDefault, value: JsonObject): boolean {
  if (rule.when === undefined) return true;
  const actual = valueAt(value, rule.when.path);
  return rule.when.values.some((expected) => String(expected) === String(actual ?? ""));
}

function valueAt(value: JsonObject, path: string): JsonValue | undefined {
  let found: JsonValue | undefined = value;
  for (const name of path.split(".")) found = isJsonObject(found) ? memberOf(found, name) : undefined;
  return found;
}

function isZero(value: DefaultValue | JsonValue): boolean {
  if (typeof value !== "object" || value === null) return !value;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

/** Keeps the prototype of maps, which are safe against `__proto__`. */
function copyOf(value: DefaultValue | JsonValue): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item: JsonValue) => copyOf(item));
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as JsonObject;
  for (const [name, item] of Object.entries(value)) copy[name] = copyOf(item as JsonValue);
  return copy;
}
