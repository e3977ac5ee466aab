import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Type, type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
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

  test("is harmless when registered again", () => {
    const registry = registered();
    expect(registry.register(descriptorSet)).toEqual([]);
  });

  test("brings no messages along that it does not need", () => {
    const names = registered().messageNames();
    expect(names).toContain("example.widgets.v1.Hole");
    expect(names.filter((name) => name.startsWith("google.") || name.startsWith("keelson."))).toEqual([]);
  });

  test.each<[string, (file: FileDescriptorProto) => void, string]>([
    [
      "another message for a kind that is there",
      (file) => {
        file.package = "other.widgets.v1";
        for (const field of file.messageType.flatMap((message) => message.field)) {
          field.typeName = field.typeName.replace(".example.", ".other.");
        }
      },
      "widgets.example.com/v1/Widget is registered already",
    ],
    [
      "a message that is absent",
      (file) => {
        file.package = "other.widgets.v1";
      },
      "the descriptor set lacks example.widgets.v1.WidgetSpec",
    ],
    [
      "a field of a type that kinds cannot have",
      (file) => {
        file.package = "other.widgets.v1";
        for (const field of file.messageType.flatMap((message) => message.field)) {
          field.typeName = field.typeName.replace(".example.", ".other.");
          if (field.name === "size") field.type = FieldDescriptorProto_Type.FIXED32;
        }
      },
      "other.widgets.v1.WidgetSpec.size: kinds cannot have fields of this protobuf type",
    ],
  ])("is refused whole: %s", (name, change, message) => {
    const registry = name.startsWith("another") ? registered() : loadRegistry(kindDescriptors);
    const before = registry.messageNames();
    expect(() => registry.register(changed(change))).toThrow(message);
    expect(registry.messageNames()).toEqual(before);
  });
});

function changed(change: (file: FileDescriptorProto) => void): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  for (const file of set.file) if (file.package === "example.widgets.v1") change(file);
  return toBinary(FileDescriptorSetSchema, set);
}
