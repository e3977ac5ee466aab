import type { Alias, Document, Node, parseAllDocuments, ScalarTag } from "yaml";
import { DecodeError } from "./decode-error.ts";
import { NumberLiteral } from "./json-text.ts";
import { pathText } from "./wire-reader.ts";
import { yamlPackage } from "./yaml-package.ts";

const MAX_ALIASES = 100;
const MAX_EXPANDED_NODES = 100_000;
const TRUE = new Set(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"]);
const FALSE = new Set(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]);
const NULL = new Set(["", "~", "null", "Null", "NULL"]);
const NOT_FINITE = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const INTEGER = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/;
const FLOAT = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;

/**
 * The meaning of a plain scalar to go-yaml v2, which kubectl and servers use: YAML 1.1 without sexagesimals. Throws a
 * DecodeError for numbers that JSON lacks.
 */
export function resolvePlain(text: string): unknown {
  if (TRUE.has(text)) {
    return true;
  }
  if (FALSE.has(text)) {
    return false;
  }
  if (NULL.has(text)) {
    return null;
  }
  if (NOT_FINITE.test(text)) {
    throw new DecodeError("invalid YAML: a number is not finite");
  }
  return /^[-+.\d]/.test(text) ? resolveNumber(text) : text;
}

function resolveNumber(text: string): unknown {
  const plain = text.replaceAll("_", "");
  const integer = INTEGER.exec(plain);
  if (integer !== null) {
    const [, sign, digits = ""] = integer;
    // BigInt knows 0x, 0o and 0b; a bare leading zero is octal.
    const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
    const value = sign === "-" ? -magnitude : magnitude;
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  if (!FLOAT.test(plain)) {
    return text;
  }
  const value = Number(plain);
  if (!Number.isFinite(value)) {
    throw new DecodeError("invalid YAML: a number is out of range");
  }
  // Whole values reach JSON without a point, as kubectl sends them.
  return Number.isSafeInteger(value) ? value : new NumberLiteral(String(value), value);
}

function explicitTag(tag: string, resolve: (text: string) => unknown): ScalarTag {
  return { tag: `tag:yaml.org,2002:${tag}`, resolve };
}

const TAGS: ScalarTag[] = [
  explicitTag("str", (text) => text),
  explicitTag("int", resolvePlain),
  explicitTag("float", resolvePlain),
  explicitTag("bool", resolvePlain),
  explicitTag("null", resolvePlain),
  explicitTag("timestamp", (text) => text),
  explicitTag("binary", (text) => Buffer.from(text, "base64").toString("utf8")),
];

export interface YamlValue {
  readonly value: unknown;
  /** Paths of keys that a mapping has more than once. */
  readonly duplicateFields: readonly string[];
}

/** The documents of a stream, each as JSON-shaped data; empty documents are left out. */
export function yamlToJsonValues(text: string, maxDepth: number): YamlValue[] {
  const documents = parse(text);
  if (!Array.isArray(documents)) {
    return [];
  }
  const values: YamlValue[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error !== undefined) {
      const [start] = error.linePos ?? [];
      throw new DecodeError(`invalid YAML${start === undefined ? "" : ` at line ${start.line}, column ${start.col}`}`);
    }
    if (document.contents !== null) {
      values.push(new YamlReader(document, maxDepth).read(document.contents));
    }
  }
  return values;
}

function parse(text: string): ReturnType<typeof parseAllDocuments> {
  try {
    return yamlPackage().parseAllDocuments(text, { schema: "failsafe", customTags: TAGS, uniqueKeys: false });
  } catch (error) {
    // The parser recurses.
    if (error instanceof RangeError) {
      throw new DecodeError("invalid YAML: nested too deeply", "", { cause: error });
    }
    throw error;
  }
}

/** The only document of a text. */
export function yamlToJsonValue(text: string, maxDepth: number): YamlValue {
  const values = yamlToJsonValues(text, maxDepth);
  if (values.length > 1) {
    throw new DecodeError("more than one YAML document");
  }
  return values[0] ?? { value: null, duplicateFields: [] };
}

/** Walks a document's nodes, so that aliases can be counted and repeated keys named. */
class YamlReader {
  readonly #yaml = yamlPackage();
  readonly #document: Document<Node, boolean>;
  readonly #maxDepth: number;
  readonly #path: (string | number)[] = [];
  readonly #duplicates = new Set<string>();
  #aliases = 0;
  #expanding = 0;
  #expandedNodes = 0;

  constructor(document: Document<Node, boolean>, maxDepth: number) {
    this.#document = document;
    this.#maxDepth = maxDepth;
  }

  read(contents: Node): YamlValue {
    const value = this.#value(contents, 0);
    return { value, duplicateFields: [...this.#duplicates] };
  }

  #value(node: unknown, depth: number): unknown {
    if (depth > this.#maxDepth) {
      throw new DecodeError(`nested deeper than ${this.#maxDepth} levels`);
    }
    this.#expandedNodes += this.#expanding > 0 ? 1 : 0;
    if (this.#expandedNodes > MAX_EXPANDED_NODES) {
      throw new DecodeError("invalid YAML: aliases expand to too much");
    }
    if (this.#yaml.isScalar(node)) {
      const plain = node.type === "PLAIN" && node.tag === undefined && typeof node.value === "string";
      return plain ? resolvePlain(node.value as string) : (node.value ?? null);
    }
    if (this.#yaml.isSeq(node)) {
      return node.items.map((item, index) => {
        this.#path[depth] = index;
        return this.#value(item, depth + 1);
      });
    }
    if (this.#yaml.isMap(node)) {
      return this.#map(node.items, depth);
    }
    if (this.#yaml.isAlias(node)) {
      return this.#expanded(node, depth);
    }
    if (node === null) {
      return null;
    }
    throw new DecodeError("invalid YAML: a node that JSON has no form for");
  }

  /** What an alias stands for: both their number and what they expand to are bounded. */
  #expanded(node: Alias, depth: number): unknown {
    this.#aliases += 1;
    if (this.#aliases > MAX_ALIASES) {
      throw new DecodeError(`invalid YAML: more than ${MAX_ALIASES} aliases`);
    }
    const target = node.resolve(this.#document);
    if (target === undefined) {
      throw new DecodeError("invalid YAML: an alias without its anchor");
    }
    this.#expanding += 1;
    const value = this.#value(target, depth);
    this.#expanding -= 1;
    return value;
  }

  #map(items: readonly { key: unknown; value: unknown }[], depth: number): Record<string, unknown> {
    const merged: Record<string, unknown> = {};
    const own: Record<string, unknown> = {};
    for (const { key, value } of items) {
      const name = this.#key(key);
      this.#path[depth] = name;
      const read = this.#value(value, depth + 1);
      if (name === "<<" && this.#yaml.isScalar(key) && key.type === "PLAIN") {
        mergeInto(merged, read);
        continue;
      }
      if (Object.hasOwn(own, name)) {
        this.#duplicates.add(pathText(this.#path, depth + 1));
      }
      define(own, name, read);
    }
    for (const [name, value] of Object.entries(merged)) {
      if (!Object.hasOwn(own, name)) {
        define(own, name, value);
      }
    }
    return own;
  }

  #key(key: unknown): string {
    const value = this.#value(key, 0);
    if (value === null || typeof value === "object") {
      if (value instanceof NumberLiteral) {
        return value.source;
      }
      throw new DecodeError("invalid YAML: a key is not a scalar");
    }
    return String(value);
  }
}

function mergeInto(target: Record<string, unknown>, value: unknown): void {
  if (Array.isArray(value)) {
    for (const part of value) {
      mergeInto(target, part);
    }
    return;
  }
  if (typeof value !== "object" || value === null) {
    throw new DecodeError("invalid YAML: map merge requires map or sequence of maps as the value");
  }
  for (const [name, member] of Object.entries(value)) {
    if (!Object.hasOwn(target, name)) {
      define(target, name, member);
    }
  }
}

/** So that a key named `__proto__` is data. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}
