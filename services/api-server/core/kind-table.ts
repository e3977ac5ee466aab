import type { Codec, Decoded } from "../../../lib/resource/codec/codec.ts";
import { hasEnvelope } from "../../../lib/resource/codec/envelope.ts";
import type { ResourceDefinition } from "../../../lib/resource/kind.ts";
import type { Registry } from "../../../lib/resource/registry.ts";
import { strategyOf } from "../strategy/strategies.ts";
import { fromCoreEvent, toCoreEvent } from "./event-conversion.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ServedKind, StoredKind } from "./stored-kind.ts";

/** Each node follows its own pods. */
const INDEX_FIELDS: ReadonlyMap<string, string> = new Map([["pods", "spec.nodeName"]]);

/** All kinds of a registry, each with the functions that its requests need. */
export class KindTable {
  readonly #served = new Map<string, ServedKind>();
  readonly #stored = new Map<string, StoredKind>();

  readonly #registry: Registry;
  readonly #codec: Codec;

  constructor(registry: Registry, codec: Codec) {
    this.#registry = registry;
    this.#codec = codec;
    const definitions = registry.resources();
    for (const definition of definitions) {
      if (definition.storage.group === definition.group && definition.storage.version === definition.version) {
        this.#addStored(definition, codec);
      }
    }
    for (const definition of definitions) {
      if (this.#served.has(keyOf(definition))) continue;
      const stored = this.#stored.get(definition.storage.prefix);
      if (stored === undefined) throw new Error(`nothing stores ${keyOf(definition)}`);
      this.#served.set(keyOf(definition), servedKind(definition, stored, codec, fromCoreEvent, toCoreEvent));
    }
  }

  find(group: string, version: string, resource: string): ServedKind | undefined {
    return this.#served.get(`${group}/${version}/${resource}`);
  }

  /** A built-in that must be there. */
  get(group: string, version: string, resource: string): ServedKind {
    const kind = this.find(group, version, resource);
    if (kind === undefined) throw new Error(`the registry lacks ${group}/${version}/${resource}`);
    return kind;
  }

  /** A kind that is only the body of a subresource: it has a message, and no resource of its own. */
  bodyKind(group: string, version: string, kind: string, like: ServedKind): ServedKind {
    const schema = this.#registry.schemaOfKind(group, version, kind);
    if (schema === undefined) throw new Error(`the registry lacks ${group}/${version} ${kind}`);
    const { definition } = like;
    const body = { ...described(definition), group, version, kind, subresources: [], schema, listSchema: undefined };
    return servedKind(body, like.stored, this.#codec, same, same);
  }

  served(): Iterable<ServedKind> {
    return this.#served.values();
  }

  /** The kinds that have keys in the store. */
  stored(): StoredKind[] {
    return [...this.#stored.values()].filter((kind) => kind.storage.definition.stored);
  }

  #addStored(definition: ResourceDefinition, codec: Codec): void {
    const { prefix } = definition.storage;
    const apiVersion = apiVersionOf(definition);
    const stored: { -readonly [K in keyof StoredKind]: StoredKind[K] } = {
      prefix,
      namespaced: definition.namespaced,
      storage: undefined as unknown as ServedKind,
      indexField: INDEX_FIELDS.get(prefix),
      decodeStored: (bytes) => decodeStored(definition, codec, bytes),
      encodeStored: (object) => codec.encodeEnvelope(apiVersion, definition.kind, definition.schema, object),
    };
    stored.storage = servedKind(definition, stored, codec, same, same);
    this.#stored.set(prefix, stored);
    this.#served.set(keyOf(definition), stored.storage);
  }
}

/** The record without its getters, which would build the schemas of the resource itself. */
function described(definition: ResourceDefinition): Omit<ResourceDefinition, "schema" | "listSchema"> {
  const { schema: _schema, listSchema: _listSchema, ...rest } = definition;
  return rest;
}

export function apiVersionOf(definition: { readonly group: string; readonly version: string }): string {
  return definition.group === "" ? definition.version : `${definition.group}/${definition.version}`;
}

function servedKind(
  definition: ResourceDefinition,
  stored: StoredKind,
  codec: Codec,
  fromStorage: (object: KubeObject) => KubeObject,
  toStorage: (object: KubeObject) => KubeObject,
): ServedKind {
  const apiVersion = apiVersionOf(definition);
  return {
    definition,
    stored,
    strategy: strategyOf(definition.group, definition.resource),
    fromStorage,
    toStorage,
    encodeJson: (object) => codec.encodeJsonBytes(definition.schema, object),
    encodeProtobuf: (object) => codec.encodeEnvelope(apiVersion, definition.kind, definition.schema, object),
  };
}

/** Both stored encodings are always read, as upstream does. */
function decodeStored(definition: ResourceDefinition, codec: Codec, bytes: Uint8Array): KubeObject {
  const decoded = decodeBytes(definition, codec, bytes);
  if (decoded.unknownFields.length > 0) incomplete.set(decoded.object, decoded.unknownFields);
  return decoded.object;
}

function decodeBytes(definition: ResourceDefinition, codec: Codec, bytes: Uint8Array): Decoded {
  if (!hasEnvelope(bytes)) return codec.decodeJson(definition.schema, bytes);
  const { apiVersion, kind, raw } = codec.decodeEnvelope(bytes);
  if (kind !== definition.kind) throw new Error(`stored object is a ${apiVersion} ${kind}, not a ${definition.kind}`);
  return codec.decodeProtobuf(definition.schema, raw, { apiVersion, kind });
}

/** Objects that were stored by a version that knows more fields; what it knows lies in the store only. */
const incomplete = new WeakMap<object, readonly string[]>();

/** Stored fields that this version does not know: they would be lost if the object were written again (invariant 24). */
export function unknownStoredFields(object: KubeObject): readonly string[] {
  return incomplete.get(object) ?? [];
}

function same(object: KubeObject): KubeObject {
  return object;
}

function keyOf(definition: ResourceDefinition): string {
  return `${definition.group}/${definition.version}/${definition.resource}`;
}
