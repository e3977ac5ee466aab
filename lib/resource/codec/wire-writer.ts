import { SlotStack } from "./slot-stack.ts";

const INITIAL_SIZE_BYTES = 16_384;
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
/** From here on the engine's own writing is faster than a loop. */
const LONG_TEXT = 32;

/**
 * Writes protobuf from the end to the beginning, so that the length of a message is known when its head is written:
 * nothing is measured first and nothing is moved. Callers write fields in descending order.
 */
export class WireWriter {
  #bytes: Buffer = Buffer.alloc(0);
  /** Where the written part begins. */
  #start = 0;
  readonly slots = new SlotStack();
  readonly #inlinedEnds: number[] = [];

  /** Bytes written so far; the difference of two readings is the length of what was written between. */
  get sizeBytes(): number {
    return this.#bytes.length - this.#start;
  }

  #reserve(sizeBytes: number): void {
    if (this.#start >= sizeBytes) {
      return;
    }
    const used = this.#bytes.length - this.#start;
    const grown = Buffer.allocUnsafeSlow(Math.max(INITIAL_SIZE_BYTES, this.#bytes.length * 2, used + sizeBytes * 2));
    this.#bytes.copy(grown, grown.length - used, this.#start);
    this.#bytes = grown;
    this.#start = grown.length - used;
  }

  /** A tag, a length or another unsigned number below 2^32. */
  varint(value: number): void {
    this.#reserve(5);
    if (value < 0x80) {
      this.#bytes[--this.#start] = value;
    } else if (value < 0x4000) {
      this.#bytes[--this.#start] = value >>> 7;
      this.#bytes[--this.#start] = (value & 0x7f) | 0x80;
    } else {
      this.#longVarint(value);
    }
  }

  #longVarint(value: number): void {
    const sizeBytes = value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
    this.#start -= sizeBytes;
    let rest = value;
    for (let index = 0; index < sizeBytes - 1; index++) {
      this.#bytes[this.#start + index] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#start + sizeBytes - 1] = rest;
  }

  /** A signed number of 64 bits: negative ones take ten bytes. */
  int64(value: number | bigint): void {
    if (typeof value === "number" && value >= 0 && value <= 0xffffffff) {
      this.varint(value);
      return;
    }
    this.#reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    const digits: number[] = [];
    while (rest > 0x7fn) {
      digits.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    digits.push(Number(rest));
    this.#start -= digits.length;
    this.#bytes.set(digits, this.#start);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#start -= 8;
    this.#bytes.writeDoubleLE(value, this.#start);
  }

  bytes(value: Uint8Array): void {
    const { length } = value;
    this.#reserve(length);
    this.#start -= length;
    this.#bytes.set(value, this.#start);
  }

  /** A short part of other bytes. */
  part(source: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (length === 0) {
      return;
    }
    this.#reserve(length);
    const bytes = this.#bytes;
    const start = this.#start - length;
    for (let index = 0; index < length; index++) {
      bytes[start + index] = source[from + index]!;
    }
    this.#start = start;
  }

  /** An inlined message ends here: as it is written backwards, this comes first. */
  endInlined(): void {
    this.#inlinedEnds.push(this.sizeBytes);
  }

  beginInlined(tag: number): void {
    this.varint(this.sizeBytes - this.#inlinedEnds.pop()!);
    this.varint(tag);
  }

  /** The UTF-8 bytes of a text and, before them, their number. */
  string(value: string): void {
    const before = this.sizeBytes;
    const { length } = value;
    this.#reserve(length * 3 + 5);
    if (length >= LONG_TEXT || !this.#ascii(value)) {
      this.#start -= Buffer.byteLength(value);
      this.#bytes.write(value, this.#start, "utf8");
    }
    this.varint(this.sizeBytes - before);
  }

  #ascii(value: string): boolean {
    const bytes = this.#bytes;
    let at = this.#start;
    for (let index = value.length - 1; index >= 0; index--) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        return false;
      }
      bytes[--at] = code;
    }
    this.#start = at;
    return true;
  }

  base64(value: string): void {
    this.bytes(Buffer.from(value, "base64"));
  }

  /** A copy of what was written; the writer can then be used again. */
  finish(): Buffer {
    const out = Buffer.allocUnsafeSlow(this.sizeBytes);
    this.#bytes.copy(out, 0, this.#start);
    this.reset();
    return out;
  }

  /** Forgets what was written, also after a failure. */
  reset(): void {
    if (this.#bytes.length > MAX_KEPT_BYTES) {
      this.#bytes = Buffer.alloc(0);
    }
    this.#start = this.#bytes.length;
    this.#inlinedEnds.length = 0;
    this.slots.clear();
  }
}
