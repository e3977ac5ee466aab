/** One file of a descriptor set, as bytes, with what it says of itself. */
interface DescriptorFile {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly dependencies: readonly string[];
}

/** Finds the files of a `google.protobuf.FileDescriptorSet` by name and by what they define. */
export class DescriptorIndex {
  readonly #files = new Map<string, DescriptorFile>();
  readonly #bySymbol = new Map<string, DescriptorFile>();

  constructor(descriptorSet: Uint8Array) {
    for (const { number, bytes } of fieldsOf(descriptorSet)) if (number === 1) this.#add(bytes);
  }

  /** The file and all that it imports, itself first; undefined when there is none of this name. */
  file(name: string): Uint8Array[] | undefined {
    const file = this.#files.get(name);
    return file === undefined ? undefined : this.#closure(file);
  }

  /** The same for the file that defines a message, enum, service or method, by full name. */
  symbol(name: string): Uint8Array[] | undefined {
    const file = this.#bySymbol.get(name);
    return file === undefined ? undefined : this.#closure(file);
  }

  #closure(first: DescriptorFile): Uint8Array[] {
    const found = new Map([[first.name, first]]);
    for (const file of found.values()) {
      for (const name of file.dependencies) {
        const dependency = this.#files.get(name);
        if (dependency !== undefined && !found.has(name)) found.set(name, dependency);
      }
    }
    return [...found.values()].map((file) => file.bytes);
  }

  #add(bytes: Uint8Array): void {
    const fields = [...fieldsOf(bytes)];
    const texts = (number: number): string[] =>
      fields.filter((field) => field.number === number).map((field) => text(field.bytes));
    const file = { bytes, name: texts(1)[0] ?? "", dependencies: texts(3) };
    this.#files.set(file.name, file);
    const scope = texts(2)[0] ?? "";
    for (const field of fields) {
      if (field.number === 4) this.#addType(field.bytes, scope, file);
      if (field.number === 5) this.#define(nameOf(field.bytes), scope, file);
      if (field.number === 6) this.#addService(field.bytes, scope, file);
    }
  }

  #addType(bytes: Uint8Array, scope: string, file: DescriptorFile): void {
    const inner = this.#define(nameOf(bytes), scope, file);
    for (const field of fieldsOf(bytes)) {
      if (field.number === 3) this.#addType(field.bytes, inner, file);
      if (field.number === 4) this.#define(nameOf(field.bytes), inner, file);
    }
  }

  #addService(bytes: Uint8Array, scope: string, file: DescriptorFile): void {
    const inner = this.#define(nameOf(bytes), scope, file);
    for (const field of fieldsOf(bytes)) if (field.number === 2) this.#define(nameOf(field.bytes), inner, file);
  }

  #define(name: string, scope: string, file: DescriptorFile): string {
    const full = scope === "" ? name : `${scope}.${name}`;
    this.#bySymbol.set(full, file);
    return full;
  }
}

/** Descriptors name themselves in field 1. */
function nameOf(bytes: Uint8Array): string {
  for (const { number, bytes: value } of fieldsOf(bytes)) if (number === 1) return text(value);
  return "";
}

/** The length-delimited fields of a message; descriptors keep all that matters here in such. */
function* fieldsOf(bytes: Uint8Array): Generator<{ number: number; bytes: Uint8Array }> {
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[position++];
      if (byte === undefined) throw new Error("the descriptor set is cut off");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (position < bytes.length) {
    const tag = varint();
    const wireType = tag & 7;
    if (wireType === 0) varint();
    else if (wireType === 1) position += 8;
    else if (wireType === 5) position += 4;
    else {
      const length = varint();
      yield { number: tag >>> 3, bytes: bytes.subarray(position, position + length) };
      position += length;
    }
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
