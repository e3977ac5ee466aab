import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { Codec } from "./codec.ts";
import { RawJson } from "./raw-json.ts";
import { POD_AS_PRINTED, POD_AS_WRITTEN } from "./testdata/pod.ts";

const registry = loadRegistry(kindDescriptors);
const codec = new Codec();

function schemaOf(kind: string, group = "", version = "v1"): MessageSchema {
  const schema = registry.schemaOfKind(group, version, kind);
  if (schema === undefined) {
    throw new Error(`no ${kind}`);
  }
  return schema;
}

const pod = schemaOf("Pod");
const typeMeta = { apiVersion: "v1", kind: "Pod" };

describe("normal form", () => {
  test("of JSON as a client writes it", () => {
    const { object, unknownFields, duplicateFields } = codec.decodeJson(pod, Buffer.from(POD_AS_WRITTEN));
    expect(unknownFields).toEqual([]);
    expect(duplicateFields).toEqual([]);
    expect(object).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "web",
        namespace: "shop",
        generation: 9007199254740993n,
        creationTimestamp: "2026-03-04T05:06:07Z",
        labels: { a: "1", b: "2", "9": "nine", "10": "ten", "\u{1f600}": "smile", "\uff5e": "" },
        managedFields: [{ manager: "m", fieldsV1: new RawJson('{"f:spec": {"f:x" : {}}, "1": 1.50}') }],
      },
      spec: {
        priority: 0,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "c",
            image: "i<1>",
            resources: { limits: { cpu: "500m", memory: "1Gi" } },
            livenessProbe: { httpGet: { port: "http" }, periodSeconds: 10 },
            env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }],
          },
        ],
        volumes: [{ name: "v", emptyDir: {} }],
      },
    });
  });

  test("is the same after protobuf, and is printed as upstream prints it", () => {
    const { object } = codec.decodeJson(pod, POD_AS_WRITTEN);
    const wire = codec.encodeProtobuf(pod, object);
    const again = codec.decodeProtobuf(pod, wire, typeMeta).object;
    expect(again).toEqual(object);
    expect(codec.encodeJson(pod, again)).toBe(POD_AS_PRINTED);
    expect(codec.encodeJsonBytes(pod, object).toString()).toBe(POD_AS_PRINTED);
    expect(codec.encodeProtobuf(pod, again)).toEqual(wire);
    expect(codec.normalize(pod, again).object).toEqual(object);
  });

  test("an all-zero object and an empty one are the same, in every encoding", () => {
    const zero =
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"","creationTimestamp":null},"spec":{"hostNetwork":false}}';
    const { object } = codec.decodeJson(pod, zero);
    expect(object).toEqual({ kind: "Pod", apiVersion: "v1" });
    const empty = codec.encodeProtobuf(pod, {});
    expect(codec.encodeProtobuf(pod, object)).toEqual(empty);
    expect(codec.decodeProtobuf(pod, empty, typeMeta).object).toEqual(object);
    expect(codec.decodeProtobuf(pod, Buffer.alloc(0), typeMeta).object).toEqual(object);
  });

  test.each(registry.resources().map((definition) => [definition.kind, definition] as const))(
    "invariant 24: an empty %s round-trips through both encodings",
    (kind, { schema, group, version }) => {
      const apiVersion = group === "" ? version : `${group}/${version}`;
      const printed = codec.encodeJson(schema, { kind, apiVersion });
      const { object } = codec.decodeJson(schema, printed);
      expect(object).toEqual({ kind, apiVersion });
      const wire = codec.encodeProtobuf(schema, object);
      expect(codec.encodeJson(schema, codec.decodeProtobuf(schema, wire, { kind, apiVersion }).object)).toBe(printed);
    },
  );

  test("does not change what it is given to normalize, nor share with it", () => {
    const value = Object.freeze({ metadata: Object.freeze({ name: "a", labels: Object.freeze({ x: "1" }) }) });
    const { object } = codec.normalize(pod, value);
    expect(object).toEqual(value);
    expect(object).not.toBe(value);
  });

  test("values made within the process: bigint, RawJson, numbers in raw values, undefined", () => {
    const fieldsV1 = RawJson.from({ a: 2n ** 60n });
    const { object } = codec.normalize(pod, {
      metadata: { generation: 2n ** 60n, name: undefined, managedFields: [{ fieldsV1 }, { fieldsV1: { b: 1 } }] },
    });
    expect(codec.encodeJson(pod, object)).toBe(
      '{"metadata":{"generation":1152921504606846976,"managedFields":[{"fieldsV1":{"a":1152921504606846976}},' +
        '{"fieldsV1":{"b":1}}]},"spec":{"containers":null},"status":{}}',
    );
  });
});

describe("time, quantity and the like", () => {
  const lease = schemaOf("Lease", "coordination.k8s.io");
  const renewed = (renewTime: unknown): unknown =>
    (codec.decodeJson(lease, JSON.stringify({ spec: { renewTime } })).object["spec"] as { renewTime?: unknown })
      ?.renewTime;

  test("MicroTime takes exactly six decimals and any offset", () => {
    expect(renewed("2026-03-04T07:06:07.123456+02:00")).toBe("2026-03-04T05:06:07.123456Z");
    expect(() => renewed("2026-03-04T07:06:07Z")).toThrow("spec.renewTime: not an RFC 3339 time with six decimals");
    expect(() => renewed("2026-03-04T07:06:07.1234567Z")).toThrow("six decimals");
  });

  test.each([
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01",
    "x",
    "2026-01-01T00:00:00",
  ])("time %s is refused", (creationTimestamp) => {
    const text = JSON.stringify({ metadata: { creationTimestamp } });
    expect(() => codec.decodeJson(pod, text)).toThrow("metadata.creationTimestamp: not an RFC 3339 time");
  });

  test("numbers as quantities keep their text", () => {
    const limits = (cpu: string): unknown => {
      const text = `{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":${cpu}}}}]}}`;
      return /"limits":\{"cpu":"([^"]*)"/.exec(codec.encodeJson(pod, codec.decodeJson(pod, text).object))?.[1];
    };
    expect(["1", "0.1", "1e3", "1.50", "12345678901234567890"].map(limits)).toEqual([
      "1",
      "100m",
      "1e3",
      "1500m",
      "12345678901234567890",
    ]);
    expect(() => limits('"1 GB"')).toThrow(
      "spec.containers[0].resources.limits.cpu: quantities must match the regular expression",
    );
  });
});

describe("unknown and duplicate fields", () => {
  test("are told with their paths, in JSON", () => {
    const text =
      '{"metadata":{"name":"a","name":"b","labels":{"x":"1","x":"2"}},"Spec":{},' +
      '"spec":{"foo":{"a":1,"a":2},"containers":[{"name":"c","Image":"i"},{"name":"d","name":"e"}]}}';
    const { object, unknownFields, duplicateFields } = codec.decodeJson(pod, text);
    expect(unknownFields).toEqual(["Spec", "spec.foo", "spec.containers[0].Image"]);
    expect(duplicateFields).toEqual(["metadata.name", "metadata.labels.x", "spec.containers[1].name"]);
    expect(object).toEqual({
      metadata: { name: "b", labels: { x: "2" } },
      spec: { containers: [{ name: "c" }, { name: "e" }] },
    });
  });

  test("are not looked for in values that are kept as text", () => {
    const text = '{"metadata":{"managedFields":[{"fieldsV1":{"a":1,"a":2}}],"name":"a"}}';
    const { object, duplicateFields } = codec.decodeJson(pod, text);
    expect(duplicateFields).toEqual([]);
    expect(codec.encodeJson(pod, object)).toContain('"fieldsV1":{"a":1,"a":2}');
  });

  test("colons within strings and escaped names do not count", () => {
    const text = '{"metadata":{"annotations":{"a\\":":"{\\"x\\":1,\\"x\\":2}"},"na\\u006de":"b"}}';
    const { object, duplicateFields } = codec.decodeJson(pod, text);
    expect(duplicateFields).toEqual([]);
    expect(object).toEqual({ metadata: { annotations: { 'a":': '{"x":1,"x":2}' }, name: "b" } });
  });

  test("are told with their paths, in YAML", () => {
    const text = "metadata:\n  name: a\n  name: b\nspec:\n  foo: 1\n  containers:\n  - name: c\n    Image: i\n";
    const { unknownFields, duplicateFields, object } = codec.decodeYaml(pod, text);
    expect(unknownFields).toEqual(["spec.foo", "spec.containers[0].Image"]);
    expect(duplicateFields).toEqual(["metadata.name"]);
    expect(object).toEqual({ metadata: { name: "b" }, spec: { containers: [{ name: "c" }] } });
  });

  test("invariant 24: unknown protobuf fields are told by number, never silently dropped", () => {
    // metadata { name = "a", 99: 1 }, 98: "x"
    const wire = Buffer.from([0x0a, 0x06, 0x0a, 0x01, 0x61, 0x98, 0x06, 0x01, 0x92, 0x06, 0x01, 0x78]);
    const { object, unknownFields } = codec.decodeProtobuf(pod, wire);
    expect(object).toEqual({ metadata: { name: "a" } });
    expect(unknownFields).toEqual(["metadata.#99", "#98"]);
  });
});

describe("YAML", () => {
  test("plain scalars mean what they mean to kubectl", () => {
    const text = [
      "spec:",
      "  hostNetwork: yes",
      "  hostPID: off",
      "  priority: 0x10",
      "  activeDeadlineSeconds: 1_000",
      "  nodeName: ~",
      "  containers:",
      "  - name: 'yes'",
      "    image: 1.2.3",
      "    ports: [{containerPort: 0120}, {containerPort: 0b11}]",
      "metadata:",
      "  labels: {on: 'off', 1: '1', 1.5: x}",
      "  creationTimestamp: 2026-03-04T05:06:07Z",
    ].join("\n");
    expect(codec.decodeYaml(pod, text).object).toEqual({
      spec: {
        hostNetwork: true,
        priority: 16,
        activeDeadlineSeconds: 1000,
        containers: [{ name: "yes", image: "1.2.3", ports: [{ containerPort: 80 }, { containerPort: 3 }] }],
      },
      metadata: { labels: { true: "off", "1": "1", "1.5": "x" }, creationTimestamp: "2026-03-04T05:06:07Z" },
    });
  });

  test("anchors, aliases and merges within bounds", () => {
    const text = "metadata:\n  labels: &l {a: '1', b: '2'}\n  annotations:\n    <<: *l\n    b: '3'\n";
    expect(codec.decodeYaml(pod, text).object).toEqual({
      metadata: { labels: { a: "1", b: "2" }, annotations: { a: "1", b: "3" } },
    });
  });
});
