import { expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry } from "../registry.ts";
import { Codec } from "./codec.ts";
import { unwrapMessage, wrapMessage } from "./enveloped-message.ts";

const typeMeta = { apiVersion: "apps/v1", kind: "Deployment" };

test("what is wrapped comes out again, byte for byte, also when it is long", () => {
  for (const length of [0, 1, 200, 100_000]) {
    const message = Buffer.alloc(length, 7);
    const { raw, ...meta } = unwrapMessage(wrapMessage(typeMeta, message));
    expect(meta).toEqual(typeMeta);
    expect(Buffer.compare(raw, message)).toBe(0);
  }
});

test("the codec's own envelopes open, and are no others", () => {
  const registry = loadRegistry(kindDescriptors);
  const schema = registry.resource("apps", "v1", "deployments")!.schema;
  const object = { metadata: { name: "web" }, spec: { replicas: 3 } };
  const codec = new Codec();
  const message = codec.encodeProtobuf(schema, object);
  const whole = codec.encodeEnvelope("apps/v1", "Deployment", schema, object);
  expect(unwrapMessage(whole).raw).toEqual(Buffer.from(message));
  expect(codec.decodeEnvelope(wrapMessage(typeMeta, message))).toEqual({ ...typeMeta, raw: message });
  expect(() => unwrapMessage(Buffer.from("{}"))).toThrow("does not begin with");
});
