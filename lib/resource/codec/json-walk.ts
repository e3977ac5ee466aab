import { DecodeError } from "./decode-error.ts";
import { NumberLiteral } from "./json-text.ts";
import { MAX_NAMED_FIELDS, pathText } from "./wire-reader.ts";

/** What one walk over a JSON value gathers. */
export class JsonWalk {
  /** Path of the member being read, by depth. */
  readonly path: (string | number)[] = [];
  depth = 0;
  /** Members seen, to be compared with the colons of the text. */
  members = 0;
  readonly unknownFields: string[] = [];
  readonly #rawSources: (() => ReadonlyMap<string, string>) | undefined;
  #elements = 0;
  readonly #maxElements: number;

  /** `rawSources`, where the value comes of a text: the source of raw values by their path. */
  constructor(maxElements: number, rawSources?: () => ReadonlyMap<string, string>) {
    this.#maxElements = maxElements;
    this.#rawSources = rawSources;
  }

  /** The source text of the raw value that is being read. */
  rawSource(): string | undefined {
    return this.#rawSources?.().get(pathText(this.path, this.depth));
  }

  fail(reason: string): DecodeError {
    return new DecodeError(reason, pathText(this.path, this.depth));
  }

  wrongType(expected: string, value: unknown): DecodeError {
    return this.fail(`cannot unmarshal ${jsonTypeOf(value)} into a field of type ${expected}`);
  }

  unknown(): void {
    if (this.unknownFields.length < MAX_NAMED_FIELDS) {
      this.unknownFields.push(pathText(this.path, this.depth));
    }
  }

  countElements(count: number): void {
    this.#elements += count;
    if (this.#elements > this.#maxElements) {
      throw this.fail(`more than ${this.#maxElements} list and map elements`);
    }
  }
}

function jsonTypeOf(value: unknown): string {
  if (value === null) {
    return "null";
  }
  if (Array.isArray(value)) {
    return "array";
  }
  if (typeof value === "bigint" || value instanceof NumberLiteral) {
    return "number";
  }
  return typeof value;
}
