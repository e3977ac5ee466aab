import type { MessageSchema } from "../schema.ts";
import type { Codec } from "./codec.ts";
import type { TypeMeta } from "./envelope.ts";
import { WireWriter } from "./wire-writer.ts";

/** Bytes gathered before they are handed on: large enough to be sent well, small enough to stay far below 10 ms. */
const PIECE_BYTES = 65_536;
const EMPTY_ITEMS = '"items":null}';

/** `metadata` of a list. */
export interface ListMetadata {
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/**
 * A JSON list of items that are encoded already, in pieces; the caller may let other work run between them. As upstream's
 * typed lists, the items show no kind and apiVersion: where an item begins with `itemType`'s, they are cut off.
 */
export function* encodeJsonList(
  codec: Codec,
  list: TypeMeta & { readonly schema: MessageSchema },
  metadata: ListMetadata,
  items: Iterable<Uint8Array>,
  itemType: TypeMeta,
): Generator<Buffer> {
  const empty = codec.encodeJson(list.schema, { kind: list.kind, apiVersion: list.apiVersion, metadata });
  if (!empty.endsWith(EMPTY_ITEMS)) {
    throw new Error(`${list.schema.name} is not a list`);
  }
  const cut = Buffer.from(
    `{"kind":${JSON.stringify(itemType.kind)},"apiVersion":${JSON.stringify(itemType.apiVersion)},`,
  );
  let parts: Uint8Array[] = [Buffer.from(`${empty.slice(0, -"null}".length)}[`)];
  let sizeBytes = 0;
  let isFirst = true;
  for (const item of items) {
    if (!isFirst) {
      parts.push(COMMA);
    }
    isFirst = false;
    if (startsWith(item, cut)) {
      parts.push(OPEN_BRACE, item.subarray(cut.length));
    } else {
      parts.push(item);
    }
    sizeBytes += item.length + 1;
    if (sizeBytes >= PIECE_BYTES) {
      yield Buffer.concat(parts);
      parts = [];
      sizeBytes = 0;
    }
  }
  parts.push(Buffer.from("]}\n"));
  yield Buffer.concat(parts);
}

const COMMA = Buffer.from(",");
const OPEN_BRACE = Buffer.from("{");

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  for (let index = 0; index < prefix.length; index++) {
    if (bytes[index] !== prefix[index]) {
      return false;
    }
  }
  return bytes.length > prefix.length;
}

/** A protobuf list in its envelope, of item messages without theirs, in pieces as `encodeJsonList`. */
export function* encodeProtobufList(
  codec: Codec,
  list: TypeMeta & { readonly schema: MessageSchema },
  metadata: ListMetadata,
  items: readonly Uint8Array[],
): Generator<Buffer> {
  const field = list.schema.fields.find(({ jsonName }) => jsonName === "items");
  if (field === undefined) {
    throw new Error(`${list.schema.name} is not a list`);
  }
  const tag = field.number * 8 + 2;
  const before = codec.encodeProtobuf(list.schema, { metadata });
  let rawBytes = before.length;
  for (const item of items) {
    rawBytes += 1 + varintBytes(item.length) + item.length;
  }
  let parts: Uint8Array[] = [codec.envelopeHead(list, rawBytes), before];
  let sizeBytes = 0;
  const writer = new WireWriter();
  for (const item of items) {
    writer.varint(item.length);
    writer.varint(tag);
    parts.push(writer.finish(), item);
    sizeBytes += item.length + 2;
    if (sizeBytes >= PIECE_BYTES) {
      yield Buffer.concat(parts);
      parts = [];
      sizeBytes = 0;
    }
  }
  parts.push(ENVELOPE_TAIL);
  yield Buffer.concat(parts);
}

/** contentEncoding and contentType, both empty. */
const ENVELOPE_TAIL = Buffer.from([0x1a, 0, 0x22, 0]);

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) {
    count += 1;
  }
  return count;
}
