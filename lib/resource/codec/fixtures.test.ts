import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { Codec } from "./codec.ts";
import { compactJson } from "./json-string.ts";
import { loadNewerSchemas, loadTableSchemas, packagesByAlias } from "./testdata/table-schemas.ts";

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
  const registry = loadRegistry(kindDescriptors);
  const packages = packagesByAlias(tables);
  const schemas = loadTableSchemas(tables);
  const pairs = readPairs();
  const registered = (name: string): MessageSchema | undefined => {
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

  test("every pair of the registry's groups, by schemas from proto/", () => {
    // core/v1 List is a client's kind: its apiVersion and kind are known to the tables' loader only.
    const known = pairs.filter((pair) => pair.t !== "core/v1.List" && registered(pair.t) !== undefined);
    expect(known.length).toBeGreaterThan(300);
    for (const pair of known) {
      checkPair(registered(pair.t)!, pair);
    }
  });

  const golden = path.join(shared, "fixtures/golden");
  const names = readdirSync(golden)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length));
  const newer = loadNewerSchemas(tables);
  test.each(names)("golden object %s", (name) => {
    const text = compactJson(readFileSync(path.join(golden, `${name}.json`), "utf8"));
    const stored = readFileSync(path.join(golden, `${name}.pb`));
    const { apiVersion, kind, raw } = codec.decodeEnvelope(stored);
    const typeMeta = kind === "" ? undefined : { apiVersion, kind };
    // Some of them have members that the tables lack.
    const known = codec.decodeJson(goldenSchema(name, schemas), text).unknownFields.length === 0;
    const schema = goldenSchema(name, known ? schemas : newer);
    const { object, unknownFields } = codec.decodeJson(schema, text);
    expect(unknownFields).toEqual([]);
    expect(codec.encodeEnvelope(apiVersion, kind, schema, object).equals(stored)).toBe(true);
    expect(codec.encodeJson(schema, codec.decodeProtobuf(schema, raw, typeMeta).object)).toBe(text);
  });
});

/** `apps.v1.Deployment`; what is not in core/v1 of the files called so is in meta/v1. */
function goldenSchema(name: string, schemas: ReadonlyMap<string, MessageSchema>): MessageSchema {
  const [, group = "", type = ""] = /^(.*)\.v1\.([^.]+)$/.exec(name) ?? [];
  const alias = `${group.replace(/\.k8s\.io$/, "")}/v1`;
  const schema = schemas.get(`${alias}.${type}`) ?? schemas.get(`meta/v1.${type}`);
  if (schema === undefined) {
    throw new Error(`no schema for ${name}`);
  }
  return schema;
}
