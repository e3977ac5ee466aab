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
  const plain = subjects(false);
  compare(print, options, "round-trip", plain, roundTrip);
  compare(print, options, "round-trip-managed-fields", subjects(true), roundTrip);
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

const PODS = 100;

function subjects(managedFields: boolean): Subject[] {
  const schema = loadRegistry(kindDescriptors).schemaOfKind("", "v1", "Pod");
  if (schema === undefined) {
    throw new Error("the registry has no Pod");
  }
  const codec = new Codec();
  return Array.from({ length: PODS }, (_, index) => {
    const json = Buffer.from(JSON.stringify(benchPod(index, { managedFields })));
    // Made of the bytes, as the texts that a server parses are.
    const text = json.toString();
    const { object } = codec.decodeJson(schema, json);
    return { codec, schema, text, json, protobuf: codec.encodeProtobuf(schema, object), object };
  });
}

function compare(
  print: (line: string) => void,
  { quick }: Options,
  name: string,
  given: readonly Subject[],
  ours: (given: Subject) => unknown,
): void {
  const peer = ({ text }: Subject): unknown => JSON.stringify(JSON.parse(text));
  const rounds = quick ? 60 : 300;
  const best = { ours: Number.POSITIVE_INFINITY, peer: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round++) {
    best.ours = Math.min(best.ours, timeUs(ours, given));
    best.peer = Math.min(best.peer, timeUs(peer, given));
  }
  const ratio = (best.ours / best.peer).toFixed(2);
  print(`codec/${name}: ratio ${ratio} (ours ${best.ours.toFixed(1)} us, JSON ${best.peer.toFixed(1)} us)`);
}

function timeUs(call: (given: Subject) => unknown, given: readonly Subject[]): number {
  const start = process.hrtime.bigint();
  for (const one of given) {
    call(one);
  }
  return Number(process.hrtime.bigint() - start) / 1000 / given.length;
}
