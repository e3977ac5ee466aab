import { Encoding, Envelope as EnvelopeMessage, Operation } from "../gen/keelson/events/v1/events.ts";

/** One object's change in one stream (proto/keelson/events/v1/events.proto says what each member means). */
export interface Change {
  readonly stream: string;
  readonly revision: number;
  /** No change of the stream lies between this revision and `revision`. */
  readonly previousRevision: number;
  /** From 0, of `parts` changes of this stream in this revision. */
  readonly part: number;
  readonly parts: number;
  readonly operation: "put" | "delete";
  readonly namespace: string;
  readonly name: string;
  readonly identityOnly: boolean;
  readonly encoding: "json" | "protobuf" | undefined;
  /** As the store holds it; empty for a deletion and with `identityOnly`. */
  readonly object: Uint8Array;
}

/** The last revision of every stream that changed after `afterRevision`, up to and including `throughRevision`. */
export interface Heads {
  readonly afterRevision: number;
  readonly throughRevision: number;
  readonly streams: ReadonlyMap<string, number>;
}

export type EventMessage =
  | { readonly type: "change"; readonly epoch: string; readonly change: Change }
  | { readonly type: "heads"; readonly epoch: string; readonly heads: Heads };

/** A larger object travels by its identity only. */
export const MAX_OBJECT_BYTES = 256 * 1024;

/** Changes of one stream in one revision; etcd allows a transaction 128 operations by default, we allow more. */
const MAX_PARTS = 100_000;

export function encodeEvent(message: EventMessage): Uint8Array {
  const { epoch } = message;
  if (message.type === "heads") {
    const { afterRevision, throughRevision, streams } = message.heads;
    const value = {
      afterRevision: BigInt(afterRevision),
      throughRevision: BigInt(throughRevision),
      streams: Object.fromEntries(Array.from(streams, ([stream, head]) => [stream, BigInt(head)])),
    };
    return EnvelopeMessage.encode({ epoch, body: { $case: "heads", value } }).finish();
  }
  const { change } = message;
  const { object } = change;
  const value = {
    ...change,
    revision: BigInt(change.revision),
    previousRevision: BigInt(change.previousRevision),
    operation: change.operation === "put" ? Operation.OPERATION_PUT : Operation.OPERATION_DELETE,
    encoding: encodingNumber(change.encoding),
    object: Buffer.from(object.buffer, object.byteOffset, object.byteLength),
  };
  return EnvelopeMessage.encode({ epoch, body: { $case: "change", value } }).finish();
}

/** Undefined when the bytes are no event, or one that contradicts itself. */
export function decodeEvent(bytes: Uint8Array): EventMessage | undefined {
  let message: EnvelopeMessage;
  try {
    message = EnvelopeMessage.decode(bytes);
  } catch {
    return undefined;
  }
  const { epoch, body } = message;
  if (body?.$case === "heads") {
    const { afterRevision, throughRevision, streams } = body.value;
    const heads: Heads = {
      afterRevision: Number(afterRevision),
      throughRevision: Number(throughRevision),
      streams: new Map(Object.entries(streams).map(([stream, head]) => [stream, Number(head)])),
    };
    return areSound(heads) ? { type: "heads", epoch, heads } : undefined;
  }
  if (body?.$case !== "change") return undefined;
  const { value } = body;
  if (value.operation !== Operation.OPERATION_PUT && value.operation !== Operation.OPERATION_DELETE) return undefined;
  const change: Change = {
    stream: value.stream,
    revision: Number(value.revision),
    previousRevision: Number(value.previousRevision),
    part: value.part,
    parts: value.parts,
    operation: value.operation === Operation.OPERATION_PUT ? "put" : "delete",
    namespace: value.namespace,
    name: value.name,
    identityOnly: value.identityOnly,
    encoding: encodingName(value.encoding),
    object: value.object,
  };
  return isSound(change) ? { type: "change", epoch, change } : undefined;
}

function areSound(heads: Heads): boolean {
  const { afterRevision, throughRevision, streams } = heads;
  if (!Number.isSafeInteger(throughRevision) || afterRevision > throughRevision) return false;
  return [...streams.values()].every((head) => head > afterRevision && head <= throughRevision);
}

function isSound(change: Change): boolean {
  const { revision, previousRevision, part, parts, object, operation, identityOnly, encoding } = change;
  if (change.name === "" || !Number.isSafeInteger(revision) || previousRevision >= revision) return false;
  if (parts < 1 || parts > MAX_PARTS || part >= parts || object.length > MAX_OBJECT_BYTES) return false;
  const bare = operation === "delete" || identityOnly;
  return bare ? object.length === 0 : object.length > 0 && encoding !== undefined;
}

function encodingNumber(encoding: Change["encoding"]): Encoding {
  if (encoding === undefined) return Encoding.ENCODING_UNSPECIFIED;
  return encoding === "json" ? Encoding.ENCODING_JSON : Encoding.ENCODING_PROTOBUF;
}

function encodingName(encoding: Encoding): Change["encoding"] {
  if (encoding === Encoding.ENCODING_JSON) return "json";
  return encoding === Encoding.ENCODING_PROTOBUF ? "protobuf" : undefined;
}
