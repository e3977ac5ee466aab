import { isUtf8 } from "node:buffer";
import type { MessageSchema } from "../schema.ts";
import { BodyTooLargeError, DecodeError } from "./decode-error.ts";
import { duplicateFields } from "./duplicate-fields.ts";
import { type Envelope, readEnvelope, type TypeMeta, writeEnvelope, writeEnvelopeHead } from "./envelope.ts";
import { copyPlain } from "./json-copy.ts";
import { parseText, scanText } from "./json-text.ts";
import { JsonWalk } from "./json-walk.ts";
import { JsonWriter } from "./json-writer.ts";
import { messageCodec } from "./message-codec.ts";
import { type RawSources, rawSources } from "./raw-source.ts";
import type { NormalObject, ObjectBody } from "./value-codec.ts";
import { WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";
import { type YamlValue, yamlToJsonValue } from "./yaml-text.ts";

export interface Decoded {
  /** In normal form, owned by the caller. */
  readonly object: NormalObject;
  /** Paths of members that the schema lacks (`spec.foo`, in protobuf `spec.#99`); they are not in `object`. */
  readonly unknownFields: readonly string[];
  /** Paths of members that were given more than once (JSON and YAML); the last one counted. */
  readonly duplicateFields: readonly string[];
}

export interface CodecOptions {
  /** Objects and lists within each other; default 100. */
  readonly maxDepth?: number;
  /** List and map elements in one body, so that few bytes cannot become much memory; default 1,000,000. */
  readonly maxElements?: number;
  /** Bytes of YAML that is not JSON, since parsing it is slow and cannot be interrupted; default: no limit. */
  readonly maxYamlBytes?: number;
}

/**
 * Turns each encoding of an object into normal form and back (DESIGN §3). What a message needs is compiled, as closures,
 * when it is first used. Every refusal of input is a DecodeError.
 */
export class Codec {
  readonly #limits: Required<CodecOptions>;
  readonly #writer = new WireWriter();
  readonly #json = new JsonWriter();

  constructor(options: CodecOptions = {}) {
    this.#limits = {
      maxDepth: options.maxDepth ?? 100,
      maxElements: options.maxElements ?? 1_000_000,
      maxYamlBytes: options.maxYamlBytes ?? Number.POSITIVE_INFINITY,
    };
  }

  /** Reads a JSON body. */
  decodeJson(schema: MessageSchema, body: Uint8Array | string): Decoded {
    const { colons, needsCare } = scanText(body, this.#limits.maxDepth);
    const text = typeof body === "string" ? body : textOfBody(body);
    const value = parseText(text, needsCare);
    let raw: RawSources | undefined;
    const walk = new JsonWalk(this.#limits.maxElements, () => {
      raw ??= rawSources(body, schema);
      return raw.byPath;
    });
    const object = messageCodec(schema).fromJson(value, walk) as NormalObject;
    // As many members as were written: none twice.
    const duplicates = walk.members + (raw?.colons ?? 0) === colons ? [] : duplicateFields(text);
    const { unknownFields } = walk;
    const hidden = duplicates.length === 0 ? [] : [...unknownFields, ...(raw?.byPath.keys() ?? [])];
    return { object, unknownFields, duplicateFields: outside(duplicates, hidden) };
  }

  /**
   * Reads one YAML document, with the meaning that Kubernetes gives to plain scalars. JSON is YAML too, and what clients
   * mostly send as such; it is read as JSON, which is thirty times faster.
   */
  decodeYaml(schema: MessageSchema, body: Uint8Array | string): Decoded {
    const text = typeof body === "string" ? body : textOfBody(body);
    if (isJsonObject(text)) {
      return this.decodeJson(schema, body);
    }
    const { value, duplicateFields: duplicates } = this.#parseYaml(text);
    const { object, unknownFields } = this.#fromValue(schema, value);
    return { object, unknownFields, duplicateFields: outside(duplicates, unknownFields) };
  }

  /** JSON-shaped data of one YAML document or of JSON, for what need not be whole objects (an apply's configuration). */
  readYaml(body: Uint8Array): YamlValue {
    const text = textOfBody(body);
    if (!isJsonObject(text)) {
      return this.#parseYaml(text);
    }
    const { needsCare } = scanText(body, this.#limits.maxDepth);
    return { value: parseText(text, needsCare), duplicateFields: duplicateFields(text) };
  }

  #parseYaml(text: string): YamlValue {
    const { maxYamlBytes, maxDepth } = this.#limits;
    if (Buffer.byteLength(text) > maxYamlBytes) {
      throw new BodyTooLargeError(`YAML of more than ${maxYamlBytes} bytes is not read; send it as JSON`);
    }
    return yamlToJsonValue(text, maxDepth);
  }

  /** Reads a protobuf message without its envelope; `typeMeta` is put into the object. */
  decodeProtobuf(schema: MessageSchema, body: Uint8Array, typeMeta?: TypeMeta): Decoded {
    const reader = new WireReader(body, this.#limits);
    const target: NormalObject = typeMeta === undefined ? {} : { kind: typeMeta.kind, apiVersion: typeMeta.apiVersion };
    bodyOf(schema).read(reader, body.length, target);
    return { object: target, unknownFields: reader.unknownFields, duplicateFields: [] };
  }

  /**
   * Normal form of a value that was made within the process (a patch's result, a default, an internal write). Takes plain
   * data with RawJson and bigint in it; does not change it. Unknown members are told as in `decodeJson`.
   */
  normalize(schema: MessageSchema, value: unknown): Decoded {
    return this.#fromValue(schema, copyPlain(value, this.#limits.maxDepth));
  }

  #fromValue(schema: MessageSchema, value: unknown): Decoded {
    const walk = new JsonWalk(this.#limits.maxElements);
    const object = messageCodec(schema).fromJson(value, walk) as NormalObject;
    return { object, unknownFields: walk.unknownFields, duplicateFields: [] };
  }

  /** JSON text with upstream's order of members. */
  encodeJson(schema: MessageSchema, object: object): string {
    return this.#writeJson(schema, object, () => this.#json.finishText());
  }

  /** The same as UTF-8 bytes, which is what it costs least to make. */
  encodeJsonBytes(schema: MessageSchema, object: object): Buffer {
    return this.#writeJson(schema, object, () => this.#json.finish());
  }

  #writeJson<T>(schema: MessageSchema, object: object, finish: () => T): T {
    try {
      messageCodec(schema).writeJson(object, this.#json);
      return finish();
    } finally {
      this.#json.reset();
    }
  }

  /** The protobuf message without envelope. */
  encodeProtobuf(schema: MessageSchema, object: object): Buffer {
    return this.#write(() => this.#body(schema, object));
  }

  /** The stored and REST form: `k8s\0` and the message in its envelope. */
  encodeEnvelope(apiVersion: string, kind: string, schema: MessageSchema, object: object): Buffer {
    return this.#write(() => writeEnvelope(this.#writer, { apiVersion, kind }, () => this.#body(schema, object)));
  }

  /** Opens `k8s\0` and its envelope; `raw` is a view of the message within. */
  decodeEnvelope(bytes: Uint8Array): Envelope {
    return readEnvelope(new WireReader(bytes, this.#limits), true);
  }

  /** Opens envelopes that follow each other, as `keelson convert` writes several objects. */
  decodeEnvelopes(bytes: Uint8Array): Envelope[] {
    const reader = new WireReader(bytes, this.#limits);
    const envelopes: Envelope[] = [];
    while (reader.position < bytes.length) {
      envelopes.push(readEnvelope(reader, false));
    }
    return envelopes;
  }

  /** The bytes before a message of `rawBytes` in its envelope; four bytes `1a 00 22 00` end it. For list-encoding.ts. */
  envelopeHead(typeMeta: TypeMeta, rawBytes: number): Buffer {
    return this.#write(() => writeEnvelopeHead(this.#writer, typeMeta, rawBytes));
  }

  #body(schema: MessageSchema, object: object): void {
    bodyOf(schema).write(object as NormalObject, this.#writer);
  }

  #write(write: () => void): Buffer {
    try {
      write();
      return this.#writer.finish();
    } finally {
      this.#writer.reset();
    }
  }
}

function bodyOf(schema: MessageSchema): ObjectBody {
  const { body } = messageCodec(schema);
  if (body === undefined) {
    throw new Error(`${schema.name} is not an object`);
  }
  return body;
}

function textOfBody(body: Uint8Array): string {
  if (!isUtf8(body)) {
    throw new DecodeError("invalid UTF-8");
  }
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
}

function isJsonObject(text: string): boolean {
  if (!/^\s*\{/.test(text)) {
    return false;
  }
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The duplicates that are not within members that nothing looks into: unknown and raw ones. */
function outside(duplicates: readonly string[], hidden: readonly string[]): readonly string[] {
  return duplicates.filter(
    (path) => !hidden.some((parent) => path.startsWith(`${parent}.`) || path.startsWith(`${parent}[`)),
  );
}
