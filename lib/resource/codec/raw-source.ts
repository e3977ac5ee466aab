import type { FieldSchema, MessageSchema } from "../schema.ts";
import { DecodeError } from "./decode-error.ts";
import { endOfString } from "./json-string.ts";
import { parseText } from "./json-text.ts";

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
    if (field.message === undefined) {
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

function placeOfField(field: FieldSchema, message: MessageSchema): RawPlace {
  const value = placeOf(message);
  if (field.mapKey !== undefined) {
    return { isRaw: false, members: new Map(), anyMember: value };
  }
  return field.repeated ? { isRaw: false, members: new Map(), element: value } : value;
}

const names = new WeakMap<MessageSchema, readonly string[]>();

/** Names, in quotes, of the members under which raw values may stand; a text without them needs no care. */
function rawNames(schema: MessageSchema): readonly string[] {
  let known = names.get(schema);
  if (known === undefined) {
    known = [...collectNames(schema, new Set(), new Set())].map((name) => `"${name}"`);
    names.set(schema, known);
  }
  return known;
}

function collectNames(schema: MessageSchema, seen: Set<MessageSchema>, found: Set<string>): Set<string> {
  seen.add(schema);
  for (const field of schema.fields) {
    const message = field.message?.();
    if (message?.form === "raw" || message?.form === "raw-object") {
      found.add(field.jsonName);
    } else if (message !== undefined && !seen.has(message)) {
      collectNames(message, seen, found);
    }
  }
  return found;
}

/**
 * Text in which every value that is kept as source stands as a JSON string holding that source; undefined when there is
 * none. So JSON.parse carries the source along, whatever the order or number of members.
 */
export function withRawAsText(text: string, schema: MessageSchema, needsCare: boolean): string | undefined {
  const candidates = rawNames(schema);
  if (candidates.length === 0 || !(candidates.some((name) => text.includes(name)) || text.includes("\\u"))) {
    return undefined;
  }
  const scanner = new RawScanner(text, needsCare);
  scanner.value(placeOf(schema));
  return scanner.finish();
}

/** Follows the schema through the text. It only has to be right for valid JSON: JSON.parse judges the result. */
class RawScanner {
  readonly #text: string;
  readonly #needsCare: boolean;
  #position = 0;
  #copied = 0;
  #out = "";

  constructor(text: string, needsCare: boolean) {
    this.#text = text;
    this.#needsCare = needsCare;
  }

  finish(): string {
    return this.#out + this.#text.slice(this.#copied);
  }

  /** Passes one value whose first character is next. */
  value(place: RawPlace | undefined): void {
    const first = this.#space();
    const start = this.#position;
    if (place === undefined || place.isRaw || (first !== 0x7b && first !== 0x5b)) {
      this.#skip();
      if (place?.isRaw === true && !this.#text.startsWith("null", start)) {
        this.#replace(start);
      }
    } else if (first === 0x7b) {
      this.#object(place);
    } else {
      this.#list(place);
    }
  }

  #replace(start: number): void {
    const source = this.#text.slice(start, this.#position);
    parseText(source, this.#needsCare);
    this.#out += this.#text.slice(this.#copied, start) + JSON.stringify(source);
    this.#copied = this.#position;
  }

  #object(place: RawPlace): void {
    this.#position += 1;
    while (this.#space() === 0x22) {
      const start = this.#position;
      this.#position = endOfString(this.#text, start) + 1;
      const name = this.#name(start);
      if (this.#space() !== 0x3a) {
        throw new DecodeError("invalid JSON");
      }
      this.#position += 1;
      this.value(place.anyMember ?? place.members.get(name));
      if (this.#space() === 0x2c) {
        this.#position += 1;
      }
    }
    this.#close(0x7d);
  }

  #name(start: number): string {
    const quoted = this.#text.slice(start, this.#position);
    const name = quoted.includes("\\") ? parseText(quoted, false) : quoted.slice(1, -1);
    return typeof name === "string" ? name : "";
  }

  #list(place: RawPlace): void {
    this.#position += 1;
    while (this.#space() !== 0x5d && this.#position < this.#text.length) {
      const before = this.#position;
      this.value(place.element);
      if (this.#space() === 0x2c) {
        this.#position += 1;
      }
      if (this.#position === before) {
        throw new DecodeError("invalid JSON");
      }
    }
    this.#close(0x5d);
  }

  #close(code: number): void {
    if (this.#text.charCodeAt(this.#position) !== code) {
      throw new DecodeError("invalid JSON");
    }
    this.#position += 1;
  }

  /** Passes spaces and gives the code of what follows. */
  #space(): number {
    let code = this.#text.charCodeAt(this.#position);
    while (code === 0x20 || (code >= 0x09 && code <= 0x0d)) {
      this.#position += 1;
      code = this.#text.charCodeAt(this.#position);
    }
    return code;
  }

  #skip(): void {
    const text = this.#text;
    let depth = 0;
    for (; this.#position < text.length; this.#position++) {
      const code = text.charCodeAt(this.#position);
      if (code === 0x22) {
        this.#position = endOfString(text, this.#position);
      } else if (code === 0x7b || code === 0x5b) {
        depth += 1;
      } else if (code === 0x7d || code === 0x5d) {
        if (depth === 0) {
          return;
        }
        depth -= 1;
      } else if (depth === 0 && (code === 0x2c || code === 0x20 || (code >= 0x09 && code <= 0x0d))) {
        return;
      }
      if (depth === 0 && (code === 0x22 || code === 0x7d || code === 0x5d)) {
        this.#position += 1;
        return;
      }
    }
  }
}
