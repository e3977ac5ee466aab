import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import type { FieldDefault, FieldSchema, MessageSchema } from "../../lib/resource/schema.ts";
import { type DefaultRow, type KindTables, readTable, tablesArePresent } from "./tables/table-files.ts";

if (!tablesArePresent) console.warn("SKIPPED: the contract tables are not beside the checkout; proto/ is not compared");

const registry = loadRegistry(kindDescriptors);

/** Rows that need a computation, by kind and path, and the hook that must make it. */
const byHook: Record<string, string> = {
  "core/v1.Pod spec.containers[*].resources.requests[R]": "pod-resources",
  "core/v1.Pod spec.initContainers[*].resources.requests[R]": "pod-resources",
  "core/v1.Pod spec.resources.limits[hugepages-*]": "pod-resources",
  "core/v1.Pod spec.resources.requests[R]": "pod-resources",
  "core/v1.Pod spec.containers[*].ports[*].hostPort": "pod-host-ports",
  "core/v1.Pod spec.initContainers[*].ports[*].hostPort": "pod-host-ports",
  "core/v1.Container imagePullPolicy": "image-pull-policy",
  "core/v1.EphemeralContainerCommon imagePullPolicy": "image-pull-policy",
  "core/v1.Volume emptyDir": "volume-source",
  "core/v1.Volume image.pullPolicy": "volume-source",
  "core/v1.Service spec.sessionAffinityConfig": "service-traffic",
  "core/v1.Service spec.externalTrafficPolicy": "service-traffic",
  "core/v1.Service status.loadBalancer.ingress[*].ipMode": "service-traffic",
  'core/v1.Namespace metadata.labels["kubernetes.io/metadata.name"]': "namespace-name-label",
  "core/v1.LimitRangeItem default": "limit-range-item",
  "core/v1.LimitRangeItem defaultRequest": "limit-range-item",
  "core/v1.LimitRangeItem default[R]": "limit-range-item",
  "core/v1.LimitRangeItem defaultRequest[R]": "limit-range-item",
  "apps/v1.StatefulSet spec.updateStrategy.rollingUpdate": "stateful-set-update-strategy",
};

/** Rows that need nothing from a kind, and why. */
const elsewhere: Record<string, string> = {
  "core/v1.ResourceList [R]": "rounding belongs to the map of quantities, wherever it stands: lib/resource/defaulting",
  "core/v1.ConfigMap data": "an empty map and an absent one are the same normal form",
};

describe.skipIf(!tablesArePresent)("defaults are as upstream's table says", () => {
  const tables = tablesArePresent
    ? readTable<KindTables>("kubernetes-api")
    : { packages: [], messages: [], stringTypes: [] };
  const packages = new Map(tables.packages.map((row) => [row.a, row.package]));
  const messageOf = (kind: string): MessageSchema | undefined => {
    const [alias = "", type] = kind.split(".");
    return registry.message(`${packages.get(alias)}.${type}`);
  };

  test("every row that the server applies is an annotation or names its hook", () => {
    const { defaults } = tablesArePresent
      ? readTable<{ defaults: DefaultRow[] }>("kubernetes-defaults")
      : { defaults: [] };
    const rows = defaults.flatMap((row) =>
      row.sameAs === undefined
        ? [row]
        : defaults.filter(({ kind }) => kind === row.sameAs).map((same) => ({ ...same, kind: row.kind })),
    );
    let compared = 0;
    for (const row of rows) {
      const schema = messageOf(row.kind);
      if (schema === undefined || row.path === undefined || row.gateOn === false) continue;
      const name = `${row.kind} ${row.path}`;
      const hook = byHook[name];
      compared += 1;
      if (hook !== undefined) expect(hooksOf(schema), name).toContain(hook);
      else if (elsewhere[name] === undefined) expect(annotated(schema, row.path), name).toContainEqual(wanted(row));
    }
    expect(compared).toBeGreaterThan(95);
  });

  test("what create sets, whatever was sent", () => {
    const { onCreate } = tablesArePresent
      ? readTable<{ onCreate: CreateRow[] }>("kubernetes-defaults")
      : { onCreate: [] };
    let compared = 0;
    for (const definition of registry.resources()) {
      const rows = onCreate.filter(({ kind }) => messageOf(kind) === definition.schema);
      const begins = rows.some(({ path }) => path === "metadata.generation");
      if (definition.stored) expect(definition.generationPaths.length > 0, definition.kind).toBe(begins);
      const status = rows.find(({ path, when }) => path === "status" && when === undefined)?.value;
      if (status === undefined || status === null || computedOnCreate.includes(definition.kind)) continue;
      const plain = Object.entries(status).filter(([, value]) => !isComputed(value));
      expect(definition.initialStatus, definition.kind).toEqual(Object.fromEntries(plain));
      compared += 1;
    }
    expect(compared).toBeGreaterThan(8);
  });
});

/** Kinds whose status on create needs the clock. */
const computedOnCreate = ["PersistentVolume"];

interface CreateRow {
  readonly kind: string;
  readonly path: string;
  readonly value: Readonly<Record<string, unknown>> | null;
  readonly when?: string;
}

function isComputed(value: unknown): boolean {
  return typeof value === "object" && value !== null && "computed" in value;
}

/** Of the kind itself and of the part that a path through it ends in. */
function hooksOf(schema: MessageSchema): string[] {
  const parts = schema.fields.map((field) => field.message?.());
  const second = parts.flatMap((part) => part?.fields.map((field) => field.message?.()) ?? []);
  return [schema, ...parts, ...second].flatMap((part) => part?.defaultHooks ?? []);
}

/** Where a rule for this path may stand: on the kind, or on the field that the path ends in. */
function annotated(schema: MessageSchema, path: string): FieldDefault[] {
  const own = schema.defaults.filter((rule) => rule.path === path).map(({ path: _, ...rule }) => rule);
  let field: FieldSchema | undefined;
  let at: MessageSchema | undefined = schema;
  for (const name of path.replaceAll("[*]", "").split(".")) {
    field = findField(at, name);
    at = field?.message?.();
  }
  return field?.default === undefined ? own : [...own, field.default];
}

function findField(schema: MessageSchema | undefined, name: string): FieldSchema | undefined {
  for (const field of schema?.fields ?? []) {
    const found = field.inlined ? findField(field.message?.(), name) : field.jsonName === name ? field : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function wanted(row: DefaultRow): FieldDefault {
  const types = /type=(\w+)/.exec(row.when ?? "")?.[1] ?? /sessionAffinity=(\w+)/.exec(row.when ?? "")?.[1];
  const copied = (row.default as { copyOf?: string } | null)?.copyOf;
  if (copied !== undefined) return { copyOf: relative(copied, row.path ?? "") };
  if (row.path === "spec.internalTrafficPolicy") {
    return { value: "Cluster", when: { path: "type", values: ["ClusterIP", "NodePort", "LoadBalancer"] } };
  }
  // A part that exists only in one state of its parent repeats no condition.
  const isOfParent = /rollingUpdate\.|clientIP\./.test(row.path ?? "");
  return types === undefined || isOfParent
    ? { value: row.default as string }
    : { value: row.default as string, when: { path: "type", values: [types] } };
}

/** Rules are relative to the message that holds the field: `spec.template.labels` seen from `spec.selector`. */
function relative(copied: string, path: string): string {
  const from = path.split(".").slice(0, -1);
  const parts = copied.split(".");
  const isBelow = from.every((part, index) => parts[index] === part);
  return isBelow ? parts.slice(from.length).join(".") : copied;
}
