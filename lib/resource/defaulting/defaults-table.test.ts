import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { applyDefaults } from "./apply-defaults.ts";

interface Row {
  readonly kind: string;
  readonly path?: string;
  readonly default?: unknown;
  readonly when?: string;
  readonly gateOn?: boolean;
}

/** The facts stand beside a checkout while the project is built; without them the cases of apply-defaults.test.ts remain. */
const file = new URL("../../../../shared/contracts/kubernetes-defaults.json", import.meta.url);
const rows: Row[] = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { defaults: Row[] }).defaults : [];

const registry = loadRegistry(kindDescriptors);

function schemaOf(kind: string): MessageSchema | undefined {
  const [alias, type] = kind.split(".");
  const prefix =
    alias === "meta/v1" ? "k8s.io.apimachinery.pkg.apis.meta.v1" : `k8s.io.api.${alias?.replace("/", ".")}`;
  return registry.message(`${prefix}.${type}`);
}

/** Rows that hold without more ado: a plain value for a field that is left out. */
const plain = rows.filter(
  ({ kind, path, default: value, when, gateOn }) =>
    schemaOf(kind) !== undefined &&
    path !== undefined &&
    ["unset", '""', "0", "empty"].includes(when ?? "") &&
    (typeof value !== "object" || value === null || !("copyOf" in value || "computed" in value)) &&
    gateOn !== false,
);

function build(names: readonly string[]): unknown {
  const [name, ...rest] = names;
  if (name === undefined || rest.length === 0) return {};
  return name.endsWith("[*]") ? { [name.slice(0, -3)]: [build(rest)] } : { [name]: build(rest) };
}

describe.runIf(rows.length > 0)("the table of defaults", () => {
  test("has rows for the kinds that are here", () => {
    expect(plain.length).toBeGreaterThan(60);
  });

  test.each(plain.map((row) => [row.kind, row.path ?? "", row] as const))("%s %s", (kind, path, row) => {
    const object = build(path.split("."));
    applyDefaults(schemaOf(kind) as MessageSchema, object as object);
    const property = path.replaceAll("[*]", "[0]");
    const isZero =
      row.default === "" || row.default === 0 || row.default === false || JSON.stringify(row.default) === "{}";
    const actual = property
      .split(/\.|\[|\]\.?/)
      .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], object);
    if (actual === undefined) expect(isZero).toBe(true);
    else expect(actual).toEqual(row.default);
  });
});
