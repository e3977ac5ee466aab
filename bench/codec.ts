import { kindDescriptors } from "../lib/gen/k8s/descriptors.ts";
import { Codec } from "../lib/resource/codec/codec.ts";
import { loadRegistry } from "../lib/resource/registry.ts";
import type { MessageSchema } from "../lib/resource/schema.ts";
import { benchPod } from "./codec-pod.ts";

interface Options {
  readonly quick: boolean;
}

interface Subject {
  readonly codec: Codec;
  readonly schema: MessageSchema;
  readonly text: string;
  readonly json: Buffer;
  readonly protobuf: Buffer;
  readonly object: object;
}

const TYPE_META = { apiVersion: "v1", kind: "Pod" };

/**
 * Our codec against JSON.parse and JSON.stringify of the same text. Ours and the peer's run in turns, in rounds of a few
 * milliseconds, and the fastest round of each counts: what else the machine does then changes little.
 */
export async function run(print: (line: string) => void, options: Options): Promise<void> {
  const plain = subject(false);
  compare(print, options, "round-trip", plain, roundTrip);
  compare(print, options, "round-trip-managed-fields", subject(true), roundTrip);
  compare(print, options, "json-decode", plain, ({ codec, schema, json }) => codec.decodeJson(schema, json));
  compare(print, options, "json-encode", plain, ({ codec, schema, object }) => codec.encodeJson(schema, object));
  compare(print, options, "protobuf-decode", plain, ({ codec, schema, protobuf }) =>
    codec.decodeProtobuf(schema, protobuf, TYPE_META),
  );
  compare(print, options, "protobuf-encode", plain, ({ codec, schema, object }) =>
    codec.encodeProtobuf(schema, object),
  );
}

/** JSON → normal form → protobuf → normal form → JSON. */
function roundTrip({ codec, schema, json }: Subject): unknown {
  const { object } = codec.decodeJson(schema, json);
  const stored = codec.encodeProtobuf(schema, object);
  return codec.encodeJson(schema, codec.decodeProtobuf(schema, stored, TYPE_META).object);
}

function subject(managedFields: boolean): Subject {
  const schema = loadRegistry(kindDescriptors).schemaOfKind("", "v1", "Pod");
  if (schema === undefined) {
    throw new Error("the registry has no Pod");
  }
  const codec = new Codec();
  const text = JSON.stringify(benchPod({ managedFields }));
  const { object } = codec.decodeJson(schema, text);
  const protobuf = codec.encodeProtobuf(schema, object);
  return { codec, schema, text, json: Buffer.from(text), protobuf, object };
}

function compare(
  print: (line: string) => void,
  { quick }: Options,
  name: string,
  given: Subject,
  ours: (given: Subject) => unknown,
): void {
  const peer = ({ text }: Subject): unknown => JSON.stringify(JSON.parse(text));
  const rounds = quick ? 40 : 200;
  const best = { ours: Number.POSITIVE_INFINITY, peer: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round++) {
    best.ours = Math.min(best.ours, timeUs(ours, given));
    best.peer = Math.min(best.peer, timeUs(peer, given));
  }
  const ratio = (best.ours / best.peer).toFixed(2);
  print(`codec/${name}: ratio ${ratio} (ours ${best.ours.toFixed(1)} us, JSON ${best.peer.toFixed(1)} us)`);
}

const CALLS = 100;

function timeUs(call: (given: Subject) => unknown, given: Subject): number {
  const start = process.hrtime.bigint();
  for (let index = 0; index < CALLS; index++) {
    call(given);
  }
  return Number(process.hrtime.bigint() - start) / 1000 / CALLS;
}
