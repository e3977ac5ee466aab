import { beforeAll, describe, expect, test } from "vitest";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import type { FieldSchema } from "../../lib/resource/schema.ts";
import {
  type FieldRow,
  type ImmutableRow,
  type KindTables,
  type MessageRow,
  type ResourceRow,
  readTable,
  type StorageRow,
  tablesArePresent,
} from "./tables/table-files.ts";

const registry = loadRegistry(kindDescriptors);
const scalars = new Set(["string", "bool", "int32", "int64", "uint32", "uint64", "double", "bytes"]);

if (!tablesArePresent) console.warn("SKIPPED: the contract tables are not beside the checkout; proto/ is not compared");

describe.skipIf(!tablesArePresent)("kinds are as upstream's tables say", () => {
  let tables: KindTables;
  let packageOf: (alias: string) => string;
  beforeAll(() => {
    tables = readTable<KindTables>("kubernetes-api");
    const packages = new Map(tables.packages.map((row) => [row.a, row.package]));
    packageOf = (alias) => packages.get(alias) ?? alias;
  });

  const fullName = (name: string, parent: string) => {
    const [alias, type] = name.includes(".") ? name.split(".") : [parent.split(".")[0], name];
    return `${packageOf(alias ?? "")}.${type}`;
  };

  test("messages: members, numbers, types, presence, lists, patches", () => {
    const covered = new Set<string>();
    for (const row of tables.messages) {
      const schema = registry.message(fullName(row.m, row.m));
      if (schema === undefined) continue;
      covered.add(row.m.split(".")[0] ?? "");
      const wanted = {
        form: formOf(row),
        // core/v1 List is a kind of clients: its table says it by the form.
        isKind: row.tm === 1 || row.j === "metav1.List",
        atomic: row.st === "atomic",
        fields: row.f.map((field) => wantedField(field, row, fullName)),
      };
      const { form, isKind, atomic, fields } = schema;
      expect({ form, isKind, atomic, fields: fields.map(comparable) }, row.m).toEqual(wanted);
    }
    expect([...covered].sort()).toEqual([
      "apps/v1",
      "authentication/v1",
      "autoscaling/v1",
      "certificates/v1",
      "coordination/v1",
      "core/v1",
      "events/v1",
      "intstr",
      "meta/v1",
      "policy/v1",
      "quantity",
      "runtime",
      "scheduling/v1",
    ]);
  });

  test("a package is there whole", () => {
    const absent = tables.messages
      .map((row) => fullName(row.m, row.m))
      .filter((name) => registry.message(name) === undefined)
      .filter((name) => registry.messageNames().some((known) => packageName(known) === packageName(name)));
    // Of autoscaling/v1 only Scale is served, as a subresource: HorizontalPodAutoscaler is stored as autoscaling/v2.
    expect(absent.filter((name) => !name.startsWith("k8s.io.api.autoscaling.v1."))).toEqual([]);
  });

  test("strings with known values", () => {
    const known = new Map(tables.stringTypes.map((row) => [fullName(row.e, row.e), row]));
    let compared = 0;
    for (const row of tables.messages) {
      const schema = registry.message(fullName(row.m, row.m));
      for (const field of schema === undefined ? [] : row.f) {
        if (field.e === undefined) continue;
        const type =
          known.get(fullName(field.e, row.m)) ??
          known.get(fullName(`core/v1.${field.e}`, row.m)) ??
          known.get(fullName(`meta/v1.${field.e}`, row.m));
        const actual = schema?.fields.find(({ number }) => number === field.i)?.enumValues;
        // Long open lists (resource names) are no help to anybody.
        if (type === undefined || (type.closed !== 1 && type.v.length > 12)) expect(actual, field.n).toBeUndefined();
        else expect(actual, `${row.m}.${field.n}`).toEqual({ values: type.v, closed: type.closed === 1 });
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(100);
  });

  test("resources: names, verbs, subresources, columns, hashes", () => {
    const rows = readTable<{ resources: ResourceRow[]; groupOrder: string[] }>("kubernetes-resources");
    for (const definition of registry.resources()) {
      const row = rows.resources.find(
        ({ g, v, r }) => g === definition.group && v === definition.version && r === definition.resource,
      );
      expect(row, definition.resource).toBeDefined();
      if (row !== undefined) expect(comparableResource(definition)).toEqual(wantedResource(row));
    }
    const groups = registry.groupVersions().map(({ group }) => group);
    expect(groups).toEqual(["", ...rows.groupOrder].filter((group) => groups.includes(group)));
  });

  test("resources: every one of a group version that is served by default", () => {
    const { resources } = readTable<{ resources: ResourceRow[] }>("kubernetes-resources");
    const served = registry.groupVersions().map(({ group, version }) => `${group}/${version}`);
    const absent = resources
      .filter(({ g, v, on }) => on && served.includes(`${g}/${v}`))
      .filter(({ g, v, r }) => registry.resource(g, v, r) === undefined);
    expect(absent).toEqual([]);
  });

  test("storage: keys, versions, selectors, rules of create and update", () => {
    const rows = readTable<{ resources: StorageRow[]; immutable: ImmutableRow[] }>("kubernetes-storage");
    for (const definition of registry.resources().filter(({ stored }) => stored)) {
      let row = rows.resources.find(({ g, r }) => g === definition.group && r === definition.resource);
      expect(row, definition.resource).toBeDefined();
      if (row === undefined) continue;
      if (row.sameAs !== undefined) {
        const core = rows.resources.find(({ g, r }) => g === "" && r === definition.resource);
        row = { ...core, ...row, fs: Object.keys(row.fsMap ?? {}) };
      }
      const { prefix, group, version, ttlSeconds } = definition.storage;
      expect({
        key: `/registry/${prefix}`,
        sv: group === "" ? version : `${group}/${version}`,
        ttl: ttlSeconds,
        fs: definition.selectableFields,
        fsAlias: Object.fromEntries(definition.fieldAliases),
        cou: definition.createOnUpdate,
        uu: !definition.conditionalUpdate,
        gen: definition.generationPaths.join(", "),
        gc: definition.defaultPropagation,
        grace: definition.gracefulDelete,
        immutable: [...definition.immutablePaths].sort(),
      }).toEqual({
        key: row.key,
        sv: row.sv,
        ttl: row.ttl ?? 0,
        fs: row.fs ?? [],
        fsAlias: row.fsAlias ?? renamed(row.fsMap ?? {}),
        cou: row.cou ?? false,
        uu: row.uu ?? false,
        // A PriorityClass has generation 1 for ever, which the path of an immutable field says.
        gen: row.gen ?? (row.r === "priorityclasses" ? "value" : ""),
        gc: row.gc?.toLowerCase() ?? "background",
        grace: row.grace ?? false,
        immutable: rows.immutable
          .filter((rule) => isPlain(rule, definition.schema.name, fullName))
          .map(({ path }) => path)
          .sort(),
      });
    }
  });
});

function renamed(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([name, path]) => name !== path));
}

/** A path that no update may change, whatever the state; other rules are hooks' work. */
function isPlain(rule: ImmutableRow, kind: string, fullName: (name: string, parent: string) => string): boolean {
  const hasCondition = [rule.when, rule.ex, rule.how, rule.sub].some((part) => part !== undefined);
  return fullName(rule.kind, rule.kind) === kind && !hasCondition && !rule.path.includes("[");
}

function packageName(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}

function formOf(row: MessageRow): string {
  const forms: Record<string, string> = {
    "string:rfc3339-seconds-utc|null": "time",
    "string:rfc3339-6digits-utc|null": "micro-time",
    "string:go-duration": "duration",
    "string:quantity": "quantity",
    "int|string": "int-or-string",
    // Plain objects as far as their members go: nothing of ours reads or writes a JSON form of them.
    "string:group/version": "object",
    "metav1.List": "object",
  };
  return row.j === undefined ? "object" : (forms[row.j] ?? row.j);
}

function comparable(field: FieldSchema) {
  return {
    name: field.protoName,
    json: field.jsonName,
    number: field.number,
    type: field.type === "message" ? field.message?.().name : field.type,
    repeated: field.repeated,
    mapKey: field.mapKey,
    inlined: field.inlined,
    presence: field.presence,
    omitEmpty: field.inlined || field.omitEmpty,
    omitZero: field.omitZero,
    required: field.required,
    nullable: field.nullable,
    patchStrategy: field.patchStrategy,
    patchMergeKey: field.patchMergeKey,
    listType: field.listType,
    listMapKeys: field.listMapKeys,
    mapType: field.mapType,
    structType: field.structType,
    featureGate: field.featureGate,
  };
}

function wantedField(row: FieldRow, parent: MessageRow, fullName: (name: string, parent: string) => string) {
  return {
    name: row.n,
    json: row.in === 1 ? "" : (row.j ?? row.n),
    number: row.i,
    type: scalars.has(row.t) ? row.t : fullName(row.t, parent.m),
    repeated: row.r === 1,
    mapKey: row.k,
    inlined: row.in === 1,
    presence: row.p === 1,
    omitEmpty: row.in === 1 || row.oe === 1,
    omitZero: row.oz === 1,
    // Of a field without omitempty and without a mark, clients are told that it is required.
    required: row.rq === 1 || (row.oe !== 1 && row.oz !== 1 && row.op !== 1 && row.in !== 1),
    nullable: row.nu === 1,
    patchStrategy: row.ps,
    patchMergeKey: row.pk,
    listType: row.lt,
    listMapKeys: row.lk ?? [],
    mapType: row.mt,
    structType: row.st,
    featureGate: row.fg,
  };
}

function comparableResource(definition: ReturnType<typeof registry.resources>[number]) {
  return {
    kind: definition.kind,
    singular: definition.singular,
    namespaced: definition.namespaced,
    shortNames: definition.shortNames,
    categories: definition.categories,
    verbs: definition.verbs,
    subresources: definition.subresources,
    columns: definition.columns.map(({ name, type, format, priority }) => ({ name, type, format, priority })),
    hash: definition.storageVersionHash,
  };
}

function wantedResource(row: ResourceRow) {
  const plain = [
    { n: "Name", t: "string", f: "name" },
    { n: "Age", t: "date" },
  ];
  return {
    kind: row.k,
    singular: row.s,
    namespaced: row.ns,
    shortNames: row.sn ?? [],
    categories: row.cat ?? [],
    verbs: row.vb,
    subresources: (row.sub ?? []).map((sub) => ({
      name: sub.n,
      group: sub.g ?? row.g,
      version: sub.v ?? row.v,
      kind: sub.k,
      verbs: sub.vb,
    })),
    columns: (row.cols ?? plain).map((column) => ({
      name: column.n,
      type: column.t,
      format: column.f ?? "",
      priority: "p" in column ? (column.p ?? 0) : 0,
    })),
    hash: row.svh ?? "",
  };
}
