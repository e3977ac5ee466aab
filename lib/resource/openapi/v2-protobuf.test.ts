import { expect, test } from "vitest";
import { encodeV2Protobuf } from "./v2-protobuf.ts";

/** Fields of a message in order, as `number:text` or `number:[fields]` along the given path of nested messages. */
function fieldsAt(bytes: Uint8Array, ...path: number[]): string[] {
  const found: string[] = [];
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[offset++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (offset < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      found.push(`${tag >>> 3}:${varint()}`);
      continue;
    }
    const length = varint();
    const body = bytes.subarray(offset, offset + length);
    offset += length;
    if (path.length === 0) found.push(`${tag >>> 3}:${Buffer.from(body).toString()}`);
    else if (tag >>> 3 === path[0]) found.push(...fieldsAt(body, ...path.slice(1)));
  }
  return found;
}

const encoded = encodeV2Protobuf({
  swagger: "2.0",
  info: { title: "T", version: "v1" },
  paths: {
    "/a/{name}": {
      get: {
        description: "d",
        operationId: "readA",
        tags: ["t"],
        produces: ["application/json"],
        parameters: [{ name: "q", in: "query", type: "string", uniqueItems: true }],
        responses: { "200": { description: "OK", schema: { $ref: "#/definitions/A" } } },
        "x-kubernetes-action": "get",
      },
      parameters: [{ name: "name", in: "path", type: "string", required: true }],
    },
  },
  definitions: {
    A: {
      type: "object",
      required: ["b"],
      properties: { b: { type: "array", items: { type: "string", enum: ["x"] } } },
      "x-kubernetes-group-version-kind": [{ group: "", kind: "A", version: "v1" }],
    },
  },
});

test("the document and its parts are where gnostic's message has them", () => {
  expect(fieldsAt(encoded)[0]).toBe("1:2.0");
  expect(fieldsAt(encoded, 2)).toEqual(["1:T", "2:v1"]);
  expect(fieldsAt(encoded, 8, 2)[0]).toBe("1:/a/{name}");
  expect(fieldsAt(encoded, 8, 2, 2, 2)).toEqual(
    expect.arrayContaining(["1:t", "3:d", "5:readA", "6:application/json"]),
  );
  expect(fieldsAt(encoded, 8, 2, 2, 2, 13, 2)).toEqual(['2:"get"']);
  expect(fieldsAt(encoded, 8, 2, 2, 2, 8, 1, 2, 3)).toEqual(["2:query", "4:q", "6:string", "20:1"]);
  expect(fieldsAt(encoded, 8, 2, 2, 9, 1, 2, 4)).toEqual(["1:1", "2:path", "4:name", "5:string"]);
  expect(fieldsAt(encoded, 8, 2, 2, 2, 9, 1, 2, 1, 2, 1)).toEqual(["1:#/definitions/A"]);
  expect(fieldsAt(encoded, 9, 1, 2, 22)).toEqual(["1:object"]);
  expect(fieldsAt(encoded, 9, 1, 2, 25, 1, 2, 23, 1, 20)).toEqual(['2:"x"']);
  expect(fieldsAt(encoded, 9, 1, 2, 31)[0]).toBe("1:x-kubernetes-group-version-kind");
});
