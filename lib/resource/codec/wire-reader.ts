import { isUtf8 } from "node:buffer";
import { DecodeError } from "./decode-error.ts";

const TWO_32 = 0x1_0000_0000;

const MAX_SHARED_BYTES = 40;
const SHARED_PLACES = 4096;
const shared = new Array<string>(SHARED_PLACES).fill("");

/**
 * Short ASCII texts repeat much between objects (enum values, label keys, image names): of each place the last text is kept
 * and shared, which is faster than making it anew and saves memory. Undefined if the bytes are not ASCII.
 */
function sharedText(bytes: Buffer, start: number, stop: number): string | undefined {
  const length = stop - start;
  if (length === 0) {
    return "";
  }
  // Some bytes tell most texts apart; the comparison decides.
  const ends = bytes[start]! + bytes[stop - 1]! * 31 + bytes[stop - 1 - (length >> 2)]! * 961;
  const place = (ends + bytes[start + (length >> 1)]! * 127 + length * 523) & (SHARED_PLACES - 1);
  const known = shared[place]!;
  if (known.length === length && sameText(known, bytes, start)) {
    return known;
  }
  for (let index = start; index < stop; index++) {
    if (bytes[index]! > 0x7f) {
      return undefined;
    }
  }
  const text = bytes.toString("latin1", start, stop);
  shared[place] = text;
  return text;
}

function sameText(text: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[start + index]) {
      return false;
    }
  }
  return true;
}

/** Reads protobuf from a Buffer; every failure is a DecodeError. */
export class WireReader {
  readonly bytes: Buffer;
  position: number;
  /** Path of the field being read, by depth; for messages only. */
  readonly path: (string | number)[] = [];
  depth = 0;
  readonly unknownFields: string[] = [];
  #elements = 0;
  readonly #maxDepth: number;
  readonly #maxElements: number;

  constructor(bytes: Uint8Array, limits: { readonly maxDepth: number; readonly maxElements: number }) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = 0;
    this.#maxDepth = limits.maxDepth;
    this.#maxElements = limits.maxElements;
  }

  fail(reason: string): DecodeError {
    return new DecodeError(reason, pathText(this.path, this.depth));
  }

  enter(): number {
    // Lists count too, as in JSON.
    if (this.depth >= this.#maxDepth) {
      throw this.fail(`nested deeper than ${this.#maxDepth} levels`);
    }
    return this.depth++;
  }

  /** Counts one more element of a list or map, so that few bytes cannot become much memory. */
  countElement(): void {
    this.#elements += 1;
    if (this.#elements > this.#maxElements) {
      throw this.fail(`more than ${this.#maxElements} list and map elements`);
    }
  }

  /** Tags, lengths: an unsigned number below 2^32. */
  varint(end: number): number {
    const byte = this.position < end ? this.bytes[this.position]! : 0x80;
    if (byte < 0x80) {
      this.position += 1;
      return byte;
    }
    const low = this.int64Low(end);
    if (this.#high !== 0) {
      throw this.fail("protobuf length or tag is out of range");
    }
    return low;
  }

  #high = 0;

  /** The low 32 bits of a varint, unsigned; the rest is kept for `int64`. */
  int64Low(end: number): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= end) {
        throw this.fail("protobuf is truncated");
      }
      const byte = this.bytes[this.position++]!;
      const bits = byte & 0x7f;
      if (shift < 28) {
        low |= bits << shift;
      } else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) {
        high |= bits << (shift - 32);
      } else {
        high |= (bits & 1) << 31;
      }
      if (byte < 0x80) {
        this.#high = high >>> 0;
        return low >>> 0;
      }
    }
    throw this.fail("protobuf varint is longer than ten bytes");
  }

  int32(end: number): number {
    return this.int64Low(end) | 0;
  }

  int64(end: number): number | bigint {
    const low = this.int64Low(end);
    const high = this.#high | 0;
    const value = high * TWO_32 + low;
    return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) + BigInt(low);
  }

  uint64(end: number): number | bigint {
    const low = this.int64Low(end);
    const value = this.#high * TWO_32 + low;
    return Number.isSafeInteger(value) ? value : (BigInt(this.#high) << 32n) + BigInt(low);
  }

  bool(end: number): boolean {
    return this.int64Low(end) !== 0 || this.#high !== 0;
  }

  double(end: number): number {
    if (this.position + 8 > end) {
      throw this.fail("protobuf is truncated");
    }
    const value = this.bytes.readDoubleLE(this.position);
    this.position += 8;
    if (!Number.isFinite(value)) {
      throw this.fail("number is not finite");
    }
    return value;
  }

  /** Reads a length and gives the end of what it counts. */
  delimited(end: number): number {
    const sizeBytes = this.varint(end);
    const stop = this.position + sizeBytes;
    if (stop > end) {
      throw this.fail("protobuf is truncated");
    }
    return stop;
  }

  text(end: number): string {
    const stop = this.delimited(end);
    const { bytes, position } = this;
    this.position = stop;
    if (stop - position <= MAX_SHARED_BYTES) {
      const text = sharedText(bytes, position, stop);
      if (text !== undefined) {
        return text;
      }
    }
    const text = bytes.toString("utf8", position, stop);
    // What is not UTF-8 reads as this character, which may also have been written.
    if (text.includes("\ufffd") && !isUtf8(bytes.subarray(position, stop))) {
      throw this.fail("invalid UTF-8");
    }
    return text;
  }

  base64(end: number): string {
    const stop = this.delimited(end);
    const text = this.bytes.toString("base64", this.position, stop);
    this.position = stop;
    return text;
  }

  /** Passes over the value of a field that the schema does not know, and notes it. */
  skipUnknown(tag: number, end: number): void {
    this.skip(tag & 7, end);
    if (this.unknownFields.length >= MAX_NAMED_FIELDS) {
      return;
    }
    const parent = pathText(this.path, this.depth - 1);
    this.unknownFields.push(parent === "" ? `#${tag >>> 3}` : `${parent}.#${tag >>> 3}`);
  }

  skip(wireType: number, end: number): void {
    if (wireType === 0) {
      this.int64Low(end);
    } else if (wireType === 2) {
      this.position = this.delimited(end);
    } else if (wireType === 1 || wireType === 5) {
      this.position += wireType === 1 ? 8 : 4;
      if (this.position > end) {
        throw this.fail("protobuf is truncated");
      }
    } else {
      throw this.fail(wireType === 3 || wireType === 4 ? "protobuf groups are not accepted" : "bad protobuf wire type");
    }
  }
}

/** So many unknown or duplicate fields are named; who sends more learns enough from these. */
export const MAX_NAMED_FIELDS = 100;

/** `spec.containers[0].name`. */
export function pathText(path: readonly (string | number)[], length: number): string {
  let text = "";
  for (let index = 0; index < length; index++) {
    const part = path[index]!;
    text += typeof part === "number" ? `[${part}]` : text === "" ? part : `.${part}`;
  }
  return text;
}
