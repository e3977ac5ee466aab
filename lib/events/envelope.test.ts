import fc from "fast-check";
import { expect, test } from "vitest";
import { type Change, decodeEvent, type EventMessage, encodeEvent, MAX_OBJECT_BYTES } from "./envelope.ts";

const change: Change = {
  stream: "pods@node-1",
  revision: 2 ** 53 - 1,
  previousRevision: 7,
  part: 1,
  parts: 2,
  operation: "put",
  namespace: "default",
  name: "web.1",
  identityOnly: false,
  encoding: "protobuf",
  object: Buffer.from("k8s\0bytes"),
};
const asEvent = (part: Partial<Change>): EventMessage => ({
  type: "change",
  epoch: "e",
  change: { ...change, ...part },
});

test("events come back as they went", () => {
  const heads = { afterRevision: 3, throughRevision: 9, streams: new Map([["apps/deployments", 9]]) };
  const removed = asEvent({ operation: "delete", object: Buffer.alloc(0), encoding: undefined });
  for (const event of [asEvent({}), removed, { type: "heads", epoch: "e", heads } as const]) {
    expect(decodeEvent(encodeEvent(event))).toEqual(event);
  }
});

test("an event that contradicts itself is none", () => {
  const wrong: Partial<Change>[] = [
    { name: "" },
    { revision: 7 },
    { part: 2 },
    { parts: 0 },
    { parts: 2 ** 31 },
    { operation: "delete" },
    { identityOnly: true },
    { encoding: undefined },
    { object: Buffer.alloc(0) },
    { object: Buffer.alloc(MAX_OBJECT_BYTES + 1) },
  ];
  for (const part of wrong) expect(decodeEvent(encodeEvent(asEvent(part))), JSON.stringify(part)).toBeUndefined();
  const heads = { afterRevision: 3, throughRevision: 9, streams: new Map([["pods", 10]]) };
  expect(decodeEvent(encodeEvent({ type: "heads", epoch: "e", heads }))).toBeUndefined();
});

test("no bytes make the decoder throw", () => {
  const good = encodeEvent(asEvent({}));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeEvent(bytes)));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
      const bytes = Uint8Array.from(good);
      bytes[at] = byte;
      decodeEvent(bytes);
    }),
  );
});
