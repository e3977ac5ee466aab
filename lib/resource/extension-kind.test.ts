import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { kindDescriptors } from "../gen/k8s/descriptors.ts";
import { Codec } from "./codec/codec.ts";
import { applyDefaults } from "./defaulting/apply-defaults.ts";
import { loadRegistry, type Registry } from "./registry.ts";
import { tableOf } from "./table/table.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const widgets = "lib/resource/testdata/widgets";
let descriptorSet: Uint8Array;

/** As an operator would: `buf build` over a module that imports the annotations. */
function buildWithBuf(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "keelson-widgets-"));
  const output = join(folder, "widgets.binpb");
  try {
    const config = JSON.stringify({ version: "v2", modules: [{ path: "proto" }, { path: widgets }] });
    const buf = join(root, "node_modules/@bufbuild/buf/bin/buf");
    execFileSync(process.execPath, [buf, "build", "--config", config, "--path", `${widgets}/example`, "-o", output], {
      cwd: root,
    });
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

beforeAll(() => {
  descriptorSet = buildWithBuf();
}, 30_000);

describe("a kind from a .proto that is not ours", () => {
  function registered(): Registry {
    const registry = loadRegistry(kindDescriptors);
    registry.register(descriptorSet);
    return registry;
  }

  test("has a definition like any built-in", () => {
    const registry = loadRegistry(kindDescriptors);
    const added = registry.register(descriptorSet);
    expect(added.map(({ resource }) => resource)).toEqual(["widgets"]);
    const widget = registry.resource("widgets.example.com", "v1", "widgets");
    expect(widget).toMatchObject({
      kind: "Widget",
      singular: "widget",
      shortNames: ["wd"],
      namespaced: true,
      hasStatus: true,
      immutablePaths: ["spec.finish"],
      storage: { prefix: "widgets.example.com/widgets", group: "widgets.example.com", version: "v1", ttlSeconds: 0 },
    });
    expect(widget?.schema.description).toBe("A part that a factory makes.");
    expect(widget?.listSchema?.isKind).toBe(true);
    expect(registry.schemaOfKind("widgets.example.com", "v1", "DeleteOptions")).toBeDefined();
    expect(registry.groupVersions().at(-1)).toEqual({ group: "widgets.example.com", version: "v1" });
  });

  test("goes through the codec, is defaulted and shown in a table", () => {
    const widget = registered().resource("widgets.example.com", "v1", "widgets");
    if (widget === undefined) throw new Error("not registered");
    const codec = new Codec();
    const manifest = {
      kind: "Widget",
      apiVersion: "widgets.example.com/v1",
      metadata: { name: "bolt" },
      spec: { finish: "Glossy", holes: [{ name: "left", depth: 0 }] },
    };
    const { object, unknownFields } = codec.decodeJson(widget.schema, JSON.stringify(manifest));
    expect(unknownFields).toEqual([]);
    applyDefaults(widget.schema, object);
    expect(object).toMatchObject({
      spec: { size: 3, finish: "Glossy", layers: 2, holes: [{ name: "left", depth: 0 }] },
    });

    const bytes = codec.encodeProtobuf(widget.schema, object);
    const typeMeta = { kind: "Widget", apiVersion: "widgets.example.com/v1" };
    expect(codec.decodeProtobuf(widget.schema, bytes, typeMeta).object).toEqual(object);

    const table = tableOf(widget, [object], {}, { nowMs: 0, objectText: () => "null" });
    expect(table.columns.map(({ name }) => name)).toEqual(["Name", "Size", "Finish"]);
    expect(table.rows[0]?.cells).toEqual(["bolt", 3, "Glossy"]);
  });

  test("cannot be registered over another, and is harmless when registered again", () => {
    const registry = registered();
    expect(registry.register(descriptorSet)).toEqual([]);
    const renamed = Buffer.from(
      Buffer.from(descriptorSet).toString("latin1").replaceAll("example.widgets.v1", "exampel.widgets.v1"),
      "latin1",
    );
    expect(() => registry.register(renamed)).toThrow("widgets.example.com/v1/widgets is registered already");
  });

  test("a descriptor set without its imports is refused whole", () => {
    const registry = loadRegistry(kindDescriptors);
    const broken = Buffer.from(
      Buffer.from(descriptorSet).toString("latin1").replaceAll(".meta.v1.ObjectMeta", ".meta.v1.ObjectMate"),
      "latin1",
    );
    expect(() => registry.register(broken)).toThrow(
      "the descriptor set lacks k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMate",
    );
    expect(registry.resource("widgets.example.com", "v1", "widgets")).toBeUndefined();
  });
});
