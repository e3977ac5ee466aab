import type { Codec, Decoded } from "../lib/resource/codec/codec.ts";
import { DecodeError } from "../lib/resource/codec/decode-error.ts";
import { hasEnvelope } from "../lib/resource/codec/envelope.ts";
import { endOfString, withoutSpaces } from "../lib/resource/codec/json-string.ts";
import { parseText } from "../lib/resource/codec/json-text.ts";
import { indentJson, jsonToYaml } from "../lib/resource/codec/readable-text.ts";
import { yamlToJsonValues } from "../lib/resource/codec/yaml-text.ts";
import type { Registry } from "../lib/resource/registry.ts";
import type { MessageSchema } from "../lib/resource/schema.ts";

export type Form = "json" | "yaml" | "protobuf";

/** One object of a file, in normal form, with what its kind says of it. */
export interface ConvertedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schema: MessageSchema;
  readonly decoded: Decoded;
}

export interface Machinery {
  readonly codec: Codec;
  readonly registry: Registry;
}

const MAX_DEPTH = 100;

/** The form that the bytes have: `k8s\0`, or a brace first, or else YAML. */
export function detectForm(bytes: Uint8Array): Form {
  if (hasEnvelope(bytes)) {
    return "protobuf";
  }
  const first = Buffer.from(bytes.subarray(0, 4096)).toString("latin1").trimStart()[0];
  return first === "{" || first === "[" ? "json" : "yaml";
}

/** All objects of a file. Throws a DecodeError for what is none of a known kind. */
export function readObjects(bytes: Uint8Array, form: Form, machinery: Machinery): ConvertedObject[] {
  const objects = READERS[form](bytes, machinery);
  if (objects.length === 0) {
    throw new DecodeError("no object in it");
  }
  return objects;
}

const READERS: Record<Form, (bytes: Uint8Array, machinery: Machinery) => ConvertedObject[]> = {
  json: readJson,
  yaml: readYaml,
  protobuf: readProtobuf,
};

function readJson(bytes: Uint8Array, machinery: Machinery): ConvertedObject[] {
  return jsonTexts(utf8(bytes)).map((text) => {
    const type = typeOf(parseText(text, false), machinery.registry);
    // How a file is indented is no part of the values in it that are kept as text.
    return { ...type, decoded: machinery.codec.decodeJson(type.schema, withoutSpaces(text)) };
  });
}

function readYaml(bytes: Uint8Array, machinery: Machinery): ConvertedObject[] {
  return yamlToJsonValues(utf8(bytes), MAX_DEPTH)
    .filter(({ value }) => value !== null)
    .map(({ value, duplicateFields }) => {
      const type = typeOf(value, machinery.registry);
      return { ...type, decoded: { ...machinery.codec.normalize(type.schema, value), duplicateFields } };
    });
}

function readProtobuf(bytes: Uint8Array, machinery: Machinery): ConvertedObject[] {
  return machinery.codec.decodeEnvelopes(bytes).map((envelope) => {
    const type = typeOf(envelope, machinery.registry);
    return { ...type, decoded: machinery.codec.decodeProtobuf(type.schema, envelope.raw, type) };
  });
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DecodeError("invalid UTF-8");
  }
}

/** A line of a watch is the one body that does not say its kind, in neither encoding. */
const WATCH_EVENT = "k8s.io.apimachinery.pkg.apis.meta.v1.WatchEvent";

function isWatchEvent(value: unknown): boolean {
  const { apiVersion = "", kind = "", ...members } = (value ?? {}) as Record<string, unknown>;
  const isEnvelope = members["raw"] instanceof Uint8Array;
  return apiVersion === "" && kind === "" && (isEnvelope || Object.keys(members).sort().join() === "object,type");
}

function typeOf(value: unknown, registry: Registry): Omit<ConvertedObject, "decoded"> {
  const watchEvent = registry.message(WATCH_EVENT);
  if (watchEvent !== undefined && isWatchEvent(value)) {
    return { apiVersion: "", kind: "", schema: watchEvent };
  }
  const { apiVersion, kind } = (value ?? {}) as { apiVersion?: unknown; kind?: unknown };
  if (typeof apiVersion !== "string" || typeof kind !== "string" || apiVersion === "" || kind === "") {
    throw new DecodeError("apiVersion and kind are not set");
  }
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const schema = registry.schemaOfKind(group, apiVersion.slice(slash + 1), kind);
  if (schema === undefined) {
    throw new DecodeError(`no kind ${JSON.stringify(kind)} is known in version ${JSON.stringify(apiVersion)}`);
  }
  return { apiVersion, kind, schema };
}

/** The JSON values of a text that holds one after the other. */
function jsonTexts(text: string): string[] {
  const texts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) {
      index = endOfString(text, index);
    } else if (code === 0x7b || code === 0x5b) {
      depth += 1;
    } else if (code === 0x7d || code === 0x5d) {
      depth -= 1;
      if (depth === 0) {
        texts.push(text.slice(start, index + 1));
        start = index + 1;
      }
    }
  }
  const rest = text.slice(start);
  return rest.trim() === "" ? texts : [...texts, rest];
}

/** The objects, one after the other, in one form. */
export function writeObjects(objects: readonly ConvertedObject[], form: Form, codec: Codec): Buffer {
  if (form === "protobuf") {
    return Buffer.concat(
      objects.map(({ apiVersion, kind, schema, decoded }) =>
        codec.encodeEnvelope(apiVersion, kind, schema, decoded.object),
      ),
    );
  }
  const texts = objects.map(({ schema, decoded }) => codec.encodeJson(schema, decoded.object));
  return Buffer.from(form === "json" ? texts.map(indentJson).join("") : texts.map(jsonToYaml).join("---\n"));
}
