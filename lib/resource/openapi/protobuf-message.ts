import type { JsonValue } from "../json-value.ts";

/** Collects the fields of one protobuf message; what is absent is left out. For documents made once, not for hot paths. */
export class ProtobufMessage {
  readonly #chunks: Uint8Array[] = [];
  #sizeBytes = 0;

  text(number: number, value: JsonValue | undefined): this {
    if (typeof value === "string") this.#delimited(number, Buffer.from(value));
    return this;
  }

  texts(number: number, values: JsonValue | undefined): this {
    if (Array.isArray(values)) for (const value of values) this.text(number, value);
    return this;
  }

  flag(number: number, value: JsonValue | undefined): this {
    if (value !== true) return this;
    this.#varint(number << 3);
    this.#varint(1);
    return this;
  }

  message(number: number, value: ProtobufMessage | undefined): this {
    if (value === undefined) return this;
    this.#varint((number << 3) | 2);
    this.#varint(value.#sizeBytes);
    this.#push(value.bytes());
    return this;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks, this.#sizeBytes);
  }

  #delimited(number: number, value: Uint8Array): void {
    this.#varint((number << 3) | 2);
    this.#varint(value.length);
    this.#push(value);
  }

  #varint(value: number): void {
    const digits: number[] = [];
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) digits.push((rest & 0x7f) | 0x80);
    digits.push(rest);
    this.#push(Uint8Array.from(digits));
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
  }
}
