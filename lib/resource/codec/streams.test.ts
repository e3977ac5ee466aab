import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry } from "../registry.ts";
import { Codec } from "./codec.ts";
import { encodeJsonList, encodeProtobufList } from "./list-encoding.ts";
import type { NormalObject } from "./value-codec.ts";
import { jsonWatchFrame, protobufWatchFrame } from "./watch-frames.ts";

const codec = new Codec();
const registry = loadRegistry(kindDescriptors);
const schema = registry.schemaOfKind("", "v1", "ConfigMap")!;
const list = { apiVersion: "v1", kind: "ConfigMapList", schema: registry.schemaOfKind("", "v1", "ConfigMapList")! };
const itemType = { apiVersion: "v1", kind: "ConfigMap" };
const metadata = { resourceVersion: "7", continue: "x", remainingItemCount: 3 };

function items(count: number): NormalObject[] {
  return Array.from({ length: count }, (_, index) => ({
    ...itemType,
    metadata: { name: `c${index}` },
    data: { text: "x".repeat(index) },
  }));
}

describe("lists of items that are encoded already", () => {
  test.each([0, 1, 3, 600])("%i items, in JSON", (count) => {
    const objects = items(count);
    const encoded = objects.map((object) => codec.encodeJsonBytes(schema, object));
    const pieces = [...encodeJsonList(codec, list, metadata, encoded, itemType)];
    const text = Buffer.concat(pieces).toString();
    const bare = objects.map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest);
    const whole = codec.encodeJson(list.schema, { kind: list.kind, apiVersion: "v1", metadata, items: bare });
    expect(text).toBe(`${whole.replace('"items":null', '"items":[]')}\n`);
    expect(pieces.length).toBe(count === 600 ? 4 : 1);
  });

  test.each([0, 1, 3, 600])("%i items, in protobuf", (count) => {
    const objects = items(count);
    const encoded = objects.map((object) => codec.encodeProtobuf(schema, object));
    const bytes = Buffer.concat([...encodeProtobufList(codec, list, metadata, encoded)]);
    const whole = codec.encodeEnvelope("v1", list.kind, list.schema, { metadata, items: objects });
    expect(bytes.equals(whole)).toBe(true);
  });
});

describe("watch frames", () => {
  test("in JSON", () => {
    const object = codec.encodeJsonBytes(schema, items(1)[0]!);
    expect(jsonWatchFrame("ADDED", object).toString()).toBe(
      '{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c0"},"data":{"text":""}}}\n',
    );
  });

  test("in protobuf: length, WatchEvent without envelope, object with envelope", () => {
    const object = codec.encodeEnvelope("v1", "ConfigMap", schema, items(1)[0]!);
    const frame = protobufWatchFrame("MODIFIED", object);
    expect(frame.readUInt32BE(0)).toBe(frame.length - 4);
    // type = 1, object = 2 { raw = 1 }
    const head = Buffer.concat([
      Buffer.from([0x0a, 8]),
      Buffer.from("MODIFIED"),
      Buffer.from([0x12, object.length + 2, 0x0a, object.length]),
    ]);
    expect(frame.subarray(4)).toEqual(Buffer.concat([head, object]));
  });
});
