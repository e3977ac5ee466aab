import { DecodeError } from "./decode-error.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/** The four bytes before every protobuf body of REST and of the store. */
export const PROTOBUF_MAGIC = Buffer.from("k8s\0", "latin1");

/** apiVersion and kind, which a protobuf body does not hold. */
export interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

export interface Envelope extends TypeMeta {
  /** The message; a view of the bytes that were read. */
  readonly raw: Uint8Array;
}

/** Whether bytes begin with `k8s\0`. */
export function hasEnvelope(bytes: Uint8Array): boolean {
  return PROTOBUF_MAGIC.every((byte, index) => bytes[index] === byte);
}

/**
 * Reads `k8s\0` and runtime.Unknown. Several may follow each other: the first byte of the next would be a group's
 * beginning, which no envelope holds; `onlyOne` refuses that.
 */
export function readEnvelope(reader: WireReader, onlyOne: boolean): Envelope {
  const magic = reader.bytes.subarray(reader.position, reader.position + PROTOBUF_MAGIC.length);
  if (!magic.equals(PROTOBUF_MAGIC)) {
    throw new DecodeError("the body does not begin with the bytes of Kubernetes' protobuf");
  }
  reader.position += PROTOBUF_MAGIC.length;
  const end = reader.bytes.length;
  let typeMeta = { apiVersion: "", kind: "" };
  let raw: Uint8Array = Buffer.alloc(0);
  while (reader.position < end && (onlyOne || reader.bytes[reader.position] !== PROTOBUF_MAGIC[0])) {
    const tag = reader.varint(end);
    if (tag === 0x0a) {
      typeMeta = readTypeMeta(reader, end);
    } else if (tag === 0x12) {
      const stop = reader.delimited(end);
      raw = reader.bytes.subarray(reader.position, stop);
      reader.position = stop;
    } else if (tag === 0x1a && reader.text(end) !== "") {
      throw new DecodeError("the protobuf envelope has a content encoding that is not supported");
    } else if (tag !== 0x1a) {
      reader.skip(tag & 7, end);
    }
  }
  return { ...typeMeta, raw };
}

function readTypeMeta(reader: WireReader, end: number): { apiVersion: string; kind: string } {
  const stop = reader.delimited(end);
  let apiVersion = "";
  let kind = "";
  while (reader.position < stop) {
    const tag = reader.varint(stop);
    if (tag === 0x0a) {
      apiVersion = reader.text(stop);
    } else if (tag === 0x12) {
      kind = reader.text(stop);
    } else {
      reader.skip(tag & 7, stop);
    }
  }
  return { apiVersion, kind };
}

/** Writes, from its end to its beginning, the envelope around what `body` writes. */
export function writeEnvelope(writer: WireWriter, typeMeta: TypeMeta, body: () => void): void {
  // contentEncoding and contentType, both empty.
  writer.bytes(EMPTY_CONTENT);
  const before = writer.sizeBytes;
  body();
  writeEnvelopeHead(writer, typeMeta, writer.sizeBytes - before);
}

/** Writes what comes before a message of `rawBytes`. */
export function writeEnvelopeHead(writer: WireWriter, typeMeta: TypeMeta, rawBytes: number): void {
  writer.varint(rawBytes);
  writer.varint(0x12);
  const before = writer.sizeBytes;
  writeText(writer, typeMeta.kind, 0x12);
  writeText(writer, typeMeta.apiVersion, 0x0a);
  writer.varint(writer.sizeBytes - before);
  writer.varint(0x0a);
  writer.bytes(PROTOBUF_MAGIC);
}

const EMPTY_CONTENT = Buffer.from([0x1a, 0, 0x22, 0]);

function writeText(writer: WireWriter, text: string, tag: number): void {
  writer.string(text);
  writer.varint(tag);
}
