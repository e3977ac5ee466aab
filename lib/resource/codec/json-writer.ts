import { quote } from "./json-string.ts";
import { SlotStack } from "./slot-stack.ts";

const INITIAL_SIZE_BYTES = 16_384;
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
/** From here on the engine's own writing is faster than a loop. */
const LONG_TEXT = 32;
/** Anything but ASCII characters that JSON leaves as they are. */
const NOT_PLAIN = /[^ !#-%'-;=?-[\]-~]/;
const QUOTE = 0x22;
const COMMA = 0x2c;

/** By code below 128: 1 where upstream's JSON escapes the character. */
const ESCAPED = Uint8Array.from({ length: 128 }, (_, code) =>
  code < 0x20 || '"\\<>&'.includes(String.fromCharCode(code)) ? 1 : 0,
);

/** Writes JSON as bytes: no strings are joined that must be flattened and converted afterwards. */
export class JsonWriter {
  #bytes: Buffer = Buffer.alloc(0);
  #position = 0;
  readonly slots = new SlotStack();

  get position(): number {
    return this.#position;
  }

  #reserve(sizeBytes: number): void {
    const needed = this.#position + sizeBytes;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(INITIAL_SIZE_BYTES, needed * 2));
      this.#bytes.copy(grown, 0, 0, this.#position);
      this.#bytes = grown;
    }
  }

  byte(code: number): void {
    this.#reserve(1);
    this.#bytes[this.#position++] = code;
  }

  /**
   * Encloses what was written since `start`, each part after a comma, in braces or brackets: the first comma becomes the
   * opening one.
   */
  enclose(start: number, open: number, close: number): void {
    if (this.#position === start) {
      this.byte(open);
    } else {
      this.#bytes[start] = open;
    }
    this.byte(close);
  }

  comma(): void {
    this.byte(COMMA);
  }

  /** Text of ASCII characters, as it stands. */
  ascii(text: string): void {
    const { length } = text;
    this.#reserve(length);
    const bytes = this.#bytes;
    let at = this.#position;
    for (let index = 0; index < length; index++) {
      bytes[at++] = text.charCodeAt(index);
    }
    this.#position = at;
  }

  /** Bytes of JSON, few, as they stand. */
  constant(value: Uint8Array): void {
    this.part(value, 0, value.length);
  }

  /** A short part of other bytes. */
  part(source: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (length === 0) {
      return;
    }
    this.#reserve(length);
    const bytes = this.#bytes;
    const at = this.#position;
    for (let index = 0; index < length; index++) {
      bytes[at + index] = source[from + index]!;
    }
    this.#position = at + length;
  }

  /** Any JSON text, as it stands. */
  json(text: string): void {
    this.#reserve(text.length * 3);
    this.#position += this.#bytes.write(text, this.#position, "utf8");
  }

  /** A JSON string. */
  string(value: string): void {
    if (value.length >= LONG_TEXT ? !this.#longPlain(value) : !this.#plain(value)) {
      this.json(quote(value));
    }
  }

  #longPlain(value: string): boolean {
    if (NOT_PLAIN.test(value)) {
      return false;
    }
    this.#reserve(value.length + 2);
    this.#bytes[this.#position++] = QUOTE;
    this.#position += this.#bytes.write(value, this.#position, "latin1");
    this.#bytes[this.#position++] = QUOTE;
    return true;
  }

  /** Whether the text is of ASCII characters without escapes; then it is written. */
  #plain(value: string): boolean {
    const { length } = value;
    this.#reserve(length + 2);
    const bytes = this.#bytes;
    let at = this.#position;
    bytes[at++] = QUOTE;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f || ESCAPED[code] === 1) {
        return false;
      }
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    this.#position = at;
    return true;
  }

  /** A copy of what was written; the writer can then be used again. */
  finish(): Buffer {
    const out = Buffer.allocUnsafeSlow(this.#position);
    this.#bytes.copy(out, 0, 0, this.#position);
    this.reset();
    return out;
  }

  finishText(): string {
    const text = this.#bytes.toString("utf8", 0, this.#position);
    this.reset();
    return text;
  }

  /** Forgets what was written, also after a failure. */
  reset(): void {
    if (this.#bytes.length > MAX_KEPT_BYTES) {
      this.#bytes = Buffer.alloc(0);
    }
    this.#position = 0;
    this.slots.clear();
  }
}
