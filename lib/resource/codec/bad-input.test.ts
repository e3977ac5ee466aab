import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { Codec } from "./codec.ts";
import { DecodeError } from "./decode-error.ts";
import { POD_AS_WRITTEN } from "./testdata/pod.ts";

const registry = loadRegistry(kindDescriptors);
const codec = new Codec();

function schemaOf(kind: string): MessageSchema {
  const schema = registry.schemaOfKind("", "v1", kind);
  if (schema === undefined) {
    throw new Error(`no ${kind}`);
  }
  return schema;
}

const pod = schemaOf("Pod");
const configMap = schemaOf("ConfigMap");

function refusal(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    if (error instanceof DecodeError) {
      return error.message;
    }
    throw error;
  }
  throw new Error("was not refused");
}

const json = (body: Uint8Array | string, schema = pod): string => refusal(() => codec.decodeJson(schema, body));
const yaml = (body: Uint8Array | string): string => refusal(() => codec.decodeYaml(pod, body));
const wire = (bytes: readonly number[] | Uint8Array): string =>
  refusal(() => codec.decodeProtobuf(pod, Uint8Array.from(bytes)));

describe("RELIABILITY §4, REST shape", { timeout: 60_000 }, () => {
  test.each([
    "",
    " ",
    "{",
    '{"metadata"',
    '{"metadata":}',
    "{'a':1}",
    '{"a":01}',
    '{"a":1,}',
    "nul",
    '{"a":"\n"}',
    "NaN",
  ])("bad JSON: %j", (text) => {
    expect(json(text)).toMatch(/^invalid JSON/);
  });

  test("bad JSON is named by its place, never by its content", () => {
    expect(json('{"data":{"password":"hunter2",}}')).toBe("invalid JSON at position 30 (line 1 column 31)");
  });

  test("trailing data", () => {
    expect(json("{} {}")).toBe("invalid JSON at position 3 (line 1 column 4)");
    expect(json("{}\0")).toMatch(/^invalid JSON/);
    expect(yaml("metadata: {}\n---\nmetadata: {}\n")).toBe("more than one YAML document");
  });

  test("NaN and 1e400", () => {
    expect(json('{"spec":{"priority":NaN}}')).toMatch(/^invalid JSON/);
    expect(json('{"spec":{"priority":1e400}}')).toBe("invalid JSON: a number is out of range");
    expect(json('{"metadata":{"managedFields":[{"fieldsV1":{"a":-1e400}}]}}')).toBe(
      "invalid JSON: a number is out of range",
    );
    expect(yaml("spec: {priority: .nan}")).toBe("invalid YAML: a number is not finite");
    expect(yaml("spec: {priority: 1e400}")).toBe("invalid YAML: a number is out of range");
    expect(refusal(() => codec.normalize(pod, { spec: { priority: Number.NaN } }))).toBe("number is not finite");
  });

  test("lone surrogates", () => {
    for (const text of [
      '{"metadata":{"name":"\\ud800"}}',
      '{"metadata":{"labels":{"\\uDFFF":""}}}',
      '{"x":"\\ud83dx"}',
    ]) {
      expect(json(text)).toBe("invalid JSON: a string holds half a surrogate pair");
    }
    expect(json('{"metadata":{"managedFields":[{"fieldsV1":{"\\ud800":{}}}]}}')).toContain("half a surrogate pair");
    expect(refusal(() => codec.normalize(pod, { metadata: { name: "\ud800" } }))).toContain("half a surrogate pair");
  });

  test("invalid UTF-8", () => {
    const cut = Buffer.from('{"metadata":{"name":"é"}}', "latin1");
    expect(json(cut)).toBe("invalid UTF-8");
    expect(yaml(Buffer.from("metadata: {name: é}", "latin1"))).toBe("invalid UTF-8");
  });

  test("nested deeper than 100", () => {
    const nested = (depth: number): string => `{"x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(codec.decodeJson(pod, nested(99)).unknownFields).toEqual(["x"]);
    expect(json(nested(100))).toBe("nested deeper than 100 levels");
    expect(json(nested(1_000_000))).toBe("nested deeper than 100 levels");
    expect(yaml(`x: ${"[".repeat(101)}${"]".repeat(101)}`)).toBe("nested deeper than 100 levels");
    expect(yaml(`x: ${"[".repeat(10_000)}`)).toMatch(/^invalid YAML/);
    let value: unknown = 1;
    for (let depth = 0; depth < 200; depth++) {
      value = { value };
    }
    expect(refusal(() => codec.normalize(pod, value))).toBe("nested too deeply");
  });

  test("a body that is no object", () => {
    for (const text of ["null", "1", '"x"', "[]", "true"]) {
      expect(json(text)).toMatch(/^cannot unmarshal .* into a field of type object$/);
    }
  });
});

describe("RELIABILITY §4, REST fields", { timeout: 60_000 }, () => {
  test.each([
    ['{"spec":{"hostNetwork":"true"}}', "spec.hostNetwork: cannot unmarshal string into a field of type bool"],
    ['{"spec":{"priority":"1"}}', "spec.priority: cannot unmarshal string into a field of type int32"],
    ['{"spec":{"priority":1.5}}', "spec.priority: number is not a value of type int32"],
    ['{"spec":{"priority":1.0}}', "spec.priority: number is not a value of type int32"],
    ['{"spec":{"priority":2147483648}}', "spec.priority: number is not a value of type int32"],
    ['{"metadata":{"generation":9223372036854775808}}', "metadata.generation: number is not a value of type int64"],
    ['{"metadata":{"generation":1e3}}', "metadata.generation: number is not a value of type int64"],
    ['{"metadata":{"name":1}}', "metadata.name: cannot unmarshal number into a field of type string"],
    ['{"metadata":[]}', "metadata: cannot unmarshal array into a field of type object"],
    ['{"metadata":{"labels":{"a":1}}}', "metadata.labels.a: cannot unmarshal number into a field of type string"],
    ['{"spec":{"containers":{}}}', "spec.containers: cannot unmarshal object into a field of type array"],
    ['{"spec":{"containers":[1]}}', "spec.containers[0]: cannot unmarshal number into a field of type object"],
  ])("wrong type: %s", (text, message) => {
    expect(json(text)).toBe(message);
  });

  test("bytes that are no base64", () => {
    for (const text of ["a", "abc", "ab=c", "a-_=", "====", "YQ"]) {
      expect(json(JSON.stringify({ binaryData: { a: text } }), configMap)).toBe("binaryData.a: not base64");
    }
  });

  test("int64 beyond 2^53 stays exact", () => {
    for (const text of ["9007199254740993", "-9223372036854775808", "9223372036854775807"]) {
      const { object } = codec.decodeJson(pod, `{"metadata":{"generation":${text}}}`);
      const again = codec.decodeProtobuf(pod, codec.encodeProtobuf(pod, object)).object;
      expect(codec.encodeJson(pod, again)).toContain(`"generation":${text}}`);
    }
  });

  test("__proto__ and constructor as map keys are plain data", () => {
    const text =
      '{"metadata":{"labels":{"__proto__":"a","constructor":"b","toString":"c"}},"__proto__":{"polluted":1}}';
    const { object, unknownFields } = codec.decodeJson(pod, text);
    expect(unknownFields).toEqual(["__proto__"]);
    const again = codec.decodeProtobuf(pod, codec.encodeProtobuf(pod, object)).object;
    expect(codec.encodeJson(pod, again)).toContain('"labels":{"__proto__":"a","constructor":"b","toString":"c"}');
    const labels = (again["metadata"] as { labels: Record<string, unknown> }).labels;
    expect(Object.keys(labels)).toEqual(["__proto__", "constructor", "toString"]);
    expect(labels["hasOwnProperty"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    const fromYaml = codec.decodeYaml(pod, "metadata: {labels: {__proto__: a}}").object;
    expect(codec.encodeJson(pod, fromYaml)).toContain('"labels":{"__proto__":"a"}');
    expect(codec.encodeJson(pod, codec.normalize(pod, fromYaml).object)).toContain('"labels":{"__proto__":"a"}');
  });

  test("a hundred unknown fields are named, not all of a million", () => {
    const members = Array.from({ length: 500 }, (_, index) => `"x${index}":1`).join(",");
    expect(codec.decodeJson(pod, `{${members}}`).unknownFields).toHaveLength(100);
    const twice = Array.from({ length: 500 }, (_, index) => `"x${index}":"","x${index}":""`).join(",");
    expect(codec.decodeJson(pod, `{"metadata":{"labels":{${twice}}}}`).duplicateFields).toHaveLength(100);
    const wireFields = Buffer.concat(Array.from({ length: 500 }, () => Buffer.from([0x98, 0x06, 0x01])));
    expect(codec.decodeProtobuf(pod, wireFields).unknownFields).toHaveLength(100);
  });

  test("few bytes do not become much memory", () => {
    const small = new Codec({ maxElements: 1000 });
    const many = `{"spec":{"containers":[${"{},".repeat(1000)}{}]}}`;
    expect(refusal(() => small.decodeJson(pod, many))).toBe("spec.containers: more than 1000 list and map elements");
    const containers = Buffer.alloc(2002).fill(Buffer.from([0x12, 0x00]));
    const spec = Buffer.concat([Buffer.from([0x12, 0xd2, 0x0f]), containers]);
    expect(refusal(() => small.decodeProtobuf(pod, spec))).toContain("more than 1000 list and map elements");
  });

  test("YAML: more than 100 aliases, tabs, bombs, no anchor", () => {
    expect(yaml(`a: &a 1\nb: [${"*a,".repeat(101)}]`)).toBe("invalid YAML: more than 100 aliases");
    expect(yaml("metadata:\n\tname: a")).toMatch(/^invalid YAML at line 2/);
    const bomb = ["a: &a [1,1,1,1,1,1,1,1,1]"];
    for (let index = 1; index < 9; index++) {
      const before = String.fromCharCode(96 + index);
      bomb.push(`${String.fromCharCode(97 + index)}: &${String.fromCharCode(97 + index)} [${`*${before},`.repeat(9)}]`);
    }
    expect(yaml(bomb.join("\n"))).toMatch(/^invalid YAML: .*aliases/);
    expect(yaml(`a: &a [${"1,".repeat(50_000)}]\nb: [*a,*a,*a]`)).toBe("invalid YAML: aliases expand to too much");
    expect(yaml("a: &a [*a]")).toBe("nested deeper than 100 levels");
    expect(yaml("a: *b")).toMatch(/^invalid YAML/);
    expect(codec.decodeYaml(pod, '{"metadata": {"name": "a"}}').object).toEqual({ metadata: { name: "a" } });
    expect(codec.decodeYaml(pod, "{metadata: {name: yes it is}}").object).toEqual({ metadata: { name: "yes it is" } });
    expect(yaml("? [a]\n: b")).toBe("invalid YAML: a key is not a scalar");
  });
});

describe("RELIABILITY §4, gRPC API", () => {
  test("bad wire type", () => {
    // metadata as a number; name as 64 bits; wire types 6 and 7.
    expect(wire([0x08, 0x01])).toBe("metadata: wrong protobuf wire type");
    expect(wire([0x0a, 0x09, 0x09, 0, 0, 0, 0, 0, 0, 0, 0])).toBe("metadata.name: wrong protobuf wire type");
    expect(wire([0x9e, 0x06])).toBe("#99: bad protobuf wire type");
    expect(wire([0x9f, 0x06])).toBe("#99: bad protobuf wire type");
    expect(wire([0x02, 0x00])).toContain("bad protobuf field number");
  });

  test("truncated", () => {
    const whole = codec.encodeProtobuf(pod, codec.decodeJson(pod, POD_AS_WRITTEN).object);
    const whole2 = codec.encodeEnvelope("v1", "Pod", pod, {});
    expect(wire([0x0a])).toContain("protobuf is truncated");
    expect(wire([0x0a, 0x05, 0x0a])).toContain("protobuf is truncated");
    expect(wire([0x99, 0x06, 0x00])).toContain("protobuf is truncated");
    let refused = 0;
    for (let length = 1; length < whole.length; length++) {
      try {
        codec.decodeProtobuf(pod, whole.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(whole.length - 10);
    expect(refusal(() => codec.decodeEnvelope(whole2.subarray(0, 12)))).toContain("truncated");
    expect(refusal(() => codec.decodeEnvelope(Buffer.from("k8s")))).toContain("does not begin with");
  });

  test("group tags", () => {
    expect(wire([0x9b, 0x06, 0x9c, 0x06])).toBe("#99: protobuf groups are not accepted");
    expect(wire([0x0b, 0x0c])).toBe("metadata: wrong protobuf wire type");
  });

  test("recursion deeper than 100", () => {
    const props = registry.message("k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
    // Where the registry has no message that holds itself, one of our own does.
    const self: MessageSchema = props ?? selfContaining();
    const field = self.fields.find(({ jsonName }) => jsonName === "not") ?? self.fields[0]!;
    let bytes = Buffer.alloc(0);
    for (let depth = 0; depth < 150; depth++) {
      const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
      const tag = field.number * 8 + 2;
      bytes = Buffer.concat([
        Buffer.from(tag < 128 ? [tag] : [(tag & 0x7f) | 0x80, tag >> 7]),
        Buffer.from(length),
        bytes,
      ]);
    }
    expect(refusal(() => codec.decodeProtobuf(self, bytes))).toContain("nested deeper than 100 levels");
  });

  test("varint longer than ten bytes", () => {
    const long = new Array<number>(10).fill(0x80);
    expect(wire([0x0a, 0x0c, 0x38, ...long, 0x01])).toBe(
      "metadata.generation: protobuf varint is longer than ten bytes",
    );
    expect(wire([...long, 0x01])).toContain("longer than ten bytes");
    expect(wire([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])).toContain("out of range");
  });

  test("packed numbers are read, but not without bound", () => {
    const groups = Buffer.from([0x12, 0x07, 0x72, 0x05, 0x22, 0x03, 0x01, 0x02, 0x03]);
    expect(codec.decodeProtobuf(pod, groups).object).toEqual({
      spec: { securityContext: { supplementalGroups: [1, 2, 3] } },
    });
    const small = new Codec({ maxElements: 2 });
    expect(refusal(() => small.decodeProtobuf(pod, groups))).toContain("more than 2 list and map elements");
  });

  test("invalid UTF-8 in a string", () => {
    expect(wire([0x0a, 0x03, 0x0a, 0x01, 0xff])).toBe("metadata.name: invalid UTF-8");
    expect(wire([0x0a, 0x05, 0x0a, 0x03, 0xed, 0xa0, 0x80])).toBe("metadata.name: invalid UTF-8");
    // The replacement character itself is a character like others.
    const replacement = codec.decodeProtobuf(pod, Buffer.from([0x0a, 0x05, 0x0a, 0x03, 0xef, 0xbf, 0xbd])).object;
    expect(replacement).toEqual({ metadata: { name: "\ufffd" } });
  });

  test("raw values that are no JSON", () => {
    const fieldsV1 = Buffer.from('{},"x":{');
    const entry = Buffer.concat([Buffer.from([0x3a, fieldsV1.length + 2, 0x0a, fieldsV1.length]), fieldsV1]);
    const metadata = Buffer.concat([Buffer.from([0x8a, 0x01, entry.length]), entry]);
    expect(wire(Buffer.concat([Buffer.from([0x0a, metadata.length]), metadata]))).toBe(
      "metadata.managedFields[0].fieldsV1: raw value is not JSON",
    );
  });
});

describe("whatever comes", { timeout: 60_000 }, () => {
  const settings = { numRuns: 300 };
  const onlyDecodeErrors = (decode: () => unknown): void => {
    try {
      decode();
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
    }
  };

  test("bytes are decoded or refused with a DecodeError", () => {
    const whole = codec.encodeProtobuf(pod, codec.decodeJson(pod, POD_AS_WRITTEN).object);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, noise) => {
        const bytes = Buffer.from(whole);
        bytes.set(noise.subarray(0, bytes.length - at), at);
        onlyDecodeErrors(() => codec.encodeJson(pod, codec.decodeProtobuf(pod, bytes).object));
        onlyDecodeErrors(() => codec.decodeEnvelope(noise));
      }),
      settings,
    );
  });

  test("texts are decoded or refused with a DecodeError", () => {
    fc.assert(
      fc.property(fc.nat(POD_AS_WRITTEN.length - 1), fc.string({ maxLength: 4 }), fc.nat(4), (at, noise, cut) => {
        const text = POD_AS_WRITTEN.slice(0, at) + noise + POD_AS_WRITTEN.slice(at + cut);
        onlyDecodeErrors(() => codec.encodeProtobuf(pod, codec.decodeJson(pod, text).object));
        onlyDecodeErrors(() => codec.decodeYaml(pod, text));
      }),
      settings,
    );
  });

  test("user maps round-trip through both encodings", () => {
    const keys = fc.string({ unit: "grapheme", maxLength: 12 });
    fc.assert(
      fc.property(fc.dictionary(keys, keys), (data) => {
        const text = JSON.stringify({ data });
        const { object, duplicateFields } = codec.decodeJson(configMap, text);
        expect(duplicateFields).toEqual([]);
        const again = codec.decodeProtobuf(configMap, codec.encodeProtobuf(configMap, object)).object;
        expect(JSON.parse(codec.encodeJson(configMap, again))).toEqual(JSON.parse(codec.encodeJson(configMap, object)));
        const read = JSON.parse(codec.encodeJson(configMap, again)) as { data?: object };
        expect(Object.entries(read.data ?? {}).sort()).toEqual(Object.entries(data).sort());
      }),
      settings,
    );
  });

  test("values of any shape are normalized or refused with a DecodeError", () => {
    fc.assert(
      fc.property(
        fc.object({ key: fc.constantFrom("metadata", "spec", "name", "containers", "labels", "ports") }),
        (value) => {
          onlyDecodeErrors(() => codec.encodeJson(pod, codec.normalize(pod, value).object));
        },
      ),
      settings,
    );
  });
});

function selfContaining(): MessageSchema {
  const [sample] = pod.fields;
  const schema: MessageSchema = {
    ...pod,
    name: "Self",
    isKind: false,
    fields: [{ ...sample!, number: 1, jsonName: "not", presence: true, message: () => schema }],
  };
  return schema;
}
