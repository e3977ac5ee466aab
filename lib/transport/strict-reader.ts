import { BinaryReader, type WireType } from "@bufbuild/protobuf/wire";

const VARINT = 0;
const START_GROUP = 3;
const VARINT_MAX_BYTES = 10;

/**
 * Reads what a client sent as strictly as our own codec does: bytes that are no UTF-8 are refused, not replaced, and
 * groups and numbers of more than 64 bits are refused, not skipped. Throws like its parent.
 */
export class StrictReader extends BinaryReader {
  override string(): string {
    return super.string(true);
  }

  override skip(wireType: WireType, fieldNo?: number): Uint8Array {
    if (Number(wireType) === START_GROUP) throw new Error("groups are not accepted");
    const skipped = super.skip(wireType, fieldNo);
    if (Number(wireType) === VARINT && skipped.length > VARINT_MAX_BYTES) throw new Error("a number is too long");
    return skipped;
  }
}

/** Decodes a whole message of a client; bytes that a generated decoder leaves over are refused as well. */
export function decodeStrictly(type: { decode(input: BinaryReader): unknown }, bytes: Uint8Array): unknown {
  const reader = new StrictReader(bytes);
  const message = type.decode(reader);
  if (reader.pos !== reader.len) throw new Error("the message has an end within itself");
  return message;
}
