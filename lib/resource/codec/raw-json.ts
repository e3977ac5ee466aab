import { NumberLiteral } from "./json-text.ts";

const rawNumber = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

function exactNumbers(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") {
    return rawNumber(String(value));
  }
  return value instanceof NumberLiteral ? rawNumber(value.source) : value;
}

/**
 * A JSON value kept as its source text (RawExtension, FieldsV1, the JSON of apiextensions). The text is valid JSON:
 * whoever makes one has checked it. It is stored as written and printed compact.
 */
export class RawJson {
  static readonly null = new RawJson("null");

  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The text of plain data; bigints and numbers that came as text keep all their digits. */
  static from(value: unknown): RawJson {
    return new RawJson(JSON.stringify(value, exactNumbers));
  }

  /** The value as plain data. */
  parse(): unknown {
    return JSON.parse(this.text);
  }

  get isNull(): boolean {
    return this.text === "null";
  }

  /** So that JSON.stringify of an object that holds one prints the value. */
  toJSON(): unknown {
    return this.parse();
  }
}
