import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry, type Registry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { Codec } from "./codec.ts";
import { compactJson } from "./json-string.ts";
import { loadLaterSchemas, loadTableSchemas, packagesByAlias } from "./testdata/table-schemas.ts";

/** Objects that upstream's own types encoded; they lie beside the repository where it is developed. */
const shared = path.resolve(import.meta.dirname, "../../../../shared");
const tables = path.join(shared, "contracts/kubernetes-api.json");
const isHere = existsSync(tables) && existsSync(path.join(shared, "fixtures/pairs"));
if (!isHere) {
  console.warn(`SKIPPED: upstream's encoded objects are not at ${shared}; only the codec's own fixtures are tested`);
}

interface Pair {
  readonly t: string;
  readonly json: string;
  readonly pb: string;
  readonly out?: string;
}

const codec = new Codec();

function checkPair(schema: MessageSchema, pair: Pair): void {
  const printed = pair.out ?? pair.json;
  const { object, unknownFields, duplicateFields } = codec.decodeJson(schema, Buffer.from(pair.json));
  expect(unknownFields).toEqual([]);
  expect(duplicateFields).toEqual([]);
  expect(codec.encodeProtobuf(schema, object).toString("base64")).toBe(pair.pb);
  expect([pair.json, printed]).toContain(codec.encodeJson(schema, object));
  const { kind, apiVersion } = object;
  const typeMeta =
    typeof kind === "string" && typeof apiVersion === "string" ? ([{ kind, apiVersion }] as const) : ([] as const);
  const fromWire = codec.decodeProtobuf(schema, Buffer.from(pair.pb, "base64"), ...typeMeta);
  expect(fromWire.unknownFields).toEqual([]);
  expect(codec.encodeJson(schema, fromWire.object)).toBe(printed);
  // What was made once stays as it is.
  const again = codec.normalize(schema, fromWire.object);
  expect(again.unknownFields).toEqual([]);
  expect(codec.encodeJson(schema, again.object)).toBe(printed);
}

function readPairs(): Pair[] {
  const folder = path.join(shared, "fixtures/pairs");
  return readdirSync(folder).flatMap((file) =>
    readFileSync(path.join(folder, file), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Pair),
  );
}

describe.skipIf(!isHere)("objects that upstream encoded", { timeout: 60_000 }, () => {
  const served = loadRegistry(kindDescriptors);
  const whole = loadRegistry(kindDescriptors, { withLaterFields: true });
  const packages = packagesByAlias(tables);
  const schemas = loadTableSchemas(tables);
  const pairs = readPairs();
  const registered = (name: string, registry: Registry): MessageSchema | undefined => {
    const alias = name.slice(0, name.lastIndexOf("."));
    return registry.message(`${packages.get(alias)}.${name.slice(alias.length + 1)}`);
  };

  test("every pair of every group, by schemas from the tables", () => {
    expect(pairs.length).toBeGreaterThan(600);
    for (const pair of pairs) {
      const schema = schemas.get(pair.t);
      expect(schema, pair.t).toBeDefined();
      checkPair(schema!, pair);
    }
  });

  test.each([
    ["as the server knows them", served],
    ["with later fields", whole],
  ])("every pair of the registry's groups, by schemas from proto/, %s", (_, registry) => {
    const known = pairs.filter((pair) => registered(pair.t, registry) !== undefined);
    expect(known.length).toBeGreaterThan(300);
    for (const pair of known) {
      checkPair(registered(pair.t, registry)!, pair);
    }
  });

  const golden = path.join(shared, "fixtures/golden");
  const names = readdirSync(golden)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length));
  const others = loadLaterSchemas(tables, (name) => registered(name, whole));
  const ofServedGroups = names.filter((name) => goldenSchema(name, (type) => registered(type, whole)) !== undefined);

  test("the golden objects of the groups that are served are read by schemas from proto/", () => {
    const groups = new Set(ofServedGroups.map((name) => name.slice(0, name.indexOf(".v1."))));
    expect([...groups].sort()).toEqual(["apps", "coordination.k8s.io", "core"]);
    expect(ofServedGroups.length).toBeGreaterThan(40);
  });

  test.each(names)("golden object %s", (name) => {
    const text = compactJson(readFileSync(path.join(golden, `${name}.json`), "utf8"));
    const stored = readFileSync(path.join(golden, `${name}.pb`));
    const { apiVersion, kind, raw } = codec.decodeEnvelope(stored);
    const typeMeta = kind === "" ? undefined : { apiVersion, kind };
    const schema =
      goldenSchema(name, (type) => registered(type, whole)) ?? goldenSchema(name, (type) => others.get(type));
    if (schema === undefined) {
      throw new Error(`no schema for ${name}`);
    }
    const { object, unknownFields } = codec.decodeJson(schema, text);
    expect(unknownFields).toEqual([]);
    expect(codec.encodeEnvelope(apiVersion, kind, schema, object).equals(stored)).toBe(true);
    expect(codec.encodeJson(schema, codec.decodeProtobuf(schema, raw, typeMeta).object)).toBe(text);
  });
});

/** `apps.v1.Deployment`; what is not in core/v1 of the files called so is in meta/v1. */
function goldenSchema(name: string, find: (type: string) => MessageSchema | undefined): MessageSchema | undefined {
  const [, group = "", type = ""] = /^(.*)\.v1\.([^.]+)$/.exec(name) ?? [];
  return find(`${group.replace(/\.k8s\.io$/, "")}/v1.${type}`) ?? find(`meta/v1.${type}`);
}
