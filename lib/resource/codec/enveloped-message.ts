import { type Envelope, readEnvelope, type TypeMeta, writeEnvelopeHead } from "./envelope.ts";
import { WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

/** Kept, since its memory is more than a head needs. */
const head = new WireWriter();
const LIMITS = { maxDepth: 1, maxElements: 1 };

/** A message's bytes in the envelope of REST and of the store; they are copied, not read. */
export function wrapMessage(typeMeta: TypeMeta, message: Uint8Array): Buffer {
  writeEnvelopeHead(head, typeMeta, message.length);
  return Buffer.concat([head.finish(), message]);
}

/** The message in an envelope, as a view of the same bytes, and what it is. Throws DecodeError for anything else. */
export function unwrapMessage(bytes: Uint8Array): Envelope {
  return readEnvelope(new WireReader(bytes, LIMITS), true);
}
