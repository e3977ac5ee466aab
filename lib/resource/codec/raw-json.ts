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

  /** The text of a plain value; `JSON.stringify` must be able to take it. */
  static from(value: unknown): RawJson {
    return new RawJson(JSON.stringify(value));
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
