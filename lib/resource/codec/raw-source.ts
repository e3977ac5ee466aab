import type { FieldSchema, MessageSchema } from "../schema.ts";
import { pathText } from "./wire-reader.ts";

/** Where in the JSON form of a message values stand that are kept as source text. */
interface RawPlace {
  isRaw: boolean;
  readonly members: Map<string, RawPlace>;
  /** Any member of a map. */
  anyMember?: RawPlace;
  element?: RawPlace;
}

const places = new WeakMap<MessageSchema, RawPlace>();

function placeOf(schema: MessageSchema): RawPlace {
  const known = places.get(schema);
  if (known !== undefined) {
    return known;
  }
  const place: RawPlace = { isRaw: schema.form === "raw" || schema.form === "raw-object", members: new Map() };
  places.set(schema, place);
  if (!place.isRaw) {
    addFields(place, schema);
  }
  return place;
}

function addFields(place: RawPlace, schema: MessageSchema): void {
  for (const field of schema.fields) {
    if (field.message === undefined || !reachesRaw(field.message())) {
      continue;
    }
    if (field.inlined) {
      addFields(place, field.message());
    } else if (schema.form === "object") {
      place.members.set(field.jsonName, placeOfField(field, field.message()));
    } else if (field.repeated) {
      place.element = placeOf(field.message());
    } else {
      // A choice: its schema stands in its place.
      addFields(place, field.message());
    }
  }
}

/** Whether raw values may stand anywhere within a message; where not, the text is passed over. */
function reachesRaw(schema: MessageSchema): boolean {
  const reached = new Set([schema]);
  for (const { form, fields } of reached) {
    if (form === "raw" || form === "raw-object") {
      return true;
    }
    for (const field of fields) {
      if (field.message !== undefined) {
        reached.add(field.message());
      }
    }
  }
  return false;
}

function placeOfField(field: FieldSchema, message: MessageSchema): RawPlace {
  const value = placeOf(message);
  if (field.mapKey !== undefined) {
    return { isRaw: false, members: new Map(), anyMember: value };
  }
  return field.repeated ? { isRaw: false, members: new Map(), element: value } : value;
}

export interface RawSources {
  /** Source text by path; no nulls. */
  readonly byPath: ReadonlyMap<string, string>;
  /** Colons outside strings within them. */
  readonly colons: number;
}

/** Finds, in valid JSON of a message, the source of every value that is kept as source. */
export function rawSources(json: Uint8Array | string, schema: MessageSchema): RawSources {
  const scanner = new RawScanner(typeof json === "string" ? Buffer.from(json) : json);
  scanner.value(placeOf(schema));
  return scanner;
}

/** Follows the schema through the bytes, which are faster to pass over than a string. */
class RawScanner implements RawSources {
  readonly byPath = new Map<string, string>();
  colons = 0;
  readonly #bytes: Buffer;
  readonly #path: (string | number)[] = [];
  #depth = 0;
  #position = 0;

  constructor(json: Uint8Array) {
    this.#bytes = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  }

  #slice(start: number): string {
    return this.#bytes.toString("utf8", start, this.#position);
  }

  /** Passes one value whose first character is next. */
  value(place: RawPlace | undefined): void {
    const first = this.#space();
    const start = this.#position;
    if (place?.isRaw === true) {
      this.colons += this.#skip();
      // Not null.
      if (first !== 0x6e) {
        this.byPath.set(pathText(this.#path, this.#depth), this.#slice(start));
      }
    } else if (place === undefined || (first !== 0x7b && first !== 0x5b)) {
      this.#skip();
    } else {
      this.#depth += 1;
      this.#inside(place, first === 0x7b);
      this.#depth -= 1;
    }
  }

  #inside(place: RawPlace, isObject: boolean): void {
    if (isObject) {
      this.#object(place);
    } else {
      this.#list(place);
    }
  }

  #object(place: RawPlace): void {
    this.#position += 1;
    while (this.#space() === 0x22) {
      const start = this.#position;
      this.#position = endOfString(this.#bytes, start) + 1;
      const quoted = this.#slice(start);
      const name = quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
      this.#path[this.#depth - 1] = name;
      this.#expect(0x3a);
      this.value(place.anyMember ?? place.members.get(name));
      if (this.#space() === 0x2c) {
        this.#position += 1;
      }
    }
    this.#expect(0x7d);
  }

  #list(place: RawPlace): void {
    this.#position += 1;
    for (let index = 0; this.#space() !== 0x5d; index++) {
      this.#path[this.#depth - 1] = index;
      this.value(place.element);
      if (this.#space() === 0x2c) {
        this.#position += 1;
      }
    }
    this.#expect(0x5d);
  }

  #expect(code: number): void {
    if (this.#space() !== code) {
      throw new Error("the text is not the valid JSON that it was taken for");
    }
    this.#position += 1;
  }

  /** Passes spaces and gives the code of what follows. */
  #space(): number {
    const bytes = this.#bytes;
    while (bytes[this.#position]! <= 0x20) {
      this.#position += 1;
    }
    return bytes[this.#position] ?? 0;
  }

  /** Passes one value and gives the number of colons in it. */
  #skip(): number {
    const bytes = this.#bytes;
    let position = this.#position;
    let depth = 0;
    let colons = 0;
    while (position < bytes.length) {
      const code = bytes[position]!;
      if (depth === 0 && (code === 0x2c || code === 0x7d || code === 0x5d || code <= 0x20)) {
        break;
      }
      if (code === 0x22) {
        position = endOfString(bytes, position);
      } else if (code === 0x3a) {
        colons += 1;
      } else if (code === 0x7b || code === 0x5b) {
        depth += 1;
      } else if (code === 0x7d || code === 0x5d) {
        depth -= 1;
      }
      position += 1;
    }
    this.#position = position;
    return colons;
  }
}

/** Index of the quote that closes the string which begins at `start`. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let index = start + 1; index < bytes.length; index++) {
    const byte = bytes[index]!;
    if (byte === 0x22) {
      return index;
    }
    if (byte === 0x5c) {
      index++;
    }
  }
  return bytes.length;
}
