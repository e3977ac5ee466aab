import { Kind } from "../gen/keelson/v1/annotations.ts";
import { compareGroups } from "./group-order.ts";
import type { ResourceDefinition } from "./kind.ts";
import { buildResourceDefinition } from "./registry-definition.ts";
import { type MessageDescriptor, readDescriptorSet } from "./registry-descriptors.ts";
import { buildMessageSchema, type FindMessage, type MessageEntry } from "./registry-schema.ts";
import type { MessageSchema } from "./schema.ts";

export interface GroupVersionName {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
}

export interface RegistryOptions {
  /**
   * Messages and fields marked with `since`, of releases later than the one whose API we serve, are there too: for
   * tools that must not lose them. A server does not know them (default).
   */
  readonly withLaterFields?: boolean;
}

/**
 * A registry with the kinds of one descriptor set, which must be whole: a message that is absent shows only when its
 * schema is asked for.
 */
export function loadRegistry(descriptorSet: Uint8Array, options: RegistryOptions = {}): Registry {
  return new Registry(descriptorSet, options);
}

/**
 * All kinds that are known, built-in or not, read from descriptor sets with the annotations of
 * `proto/keelson/v1/annotations.proto`. Grows by `register` alone; records never change.
 */
export class Registry {
  readonly #messages = new Map<string, MessageEntry>();
  readonly #resources = new Map<string, ResourceDefinition>();
  readonly #resourcesByKind = new Map<string, ResourceDefinition>();
  /** Kinds that are no resources too: lists, options, bodies of subresources. */
  readonly #kinds = new Map<string, MessageEntry>();

  readonly #withLaterFields: boolean;

  constructor(descriptorSet: Uint8Array, options: RegistryOptions) {
    this.#withLaterFields = options.withLaterFields ?? false;
    this.#add(this.#read(descriptorSet));
  }

  /**
   * Adds what a `google.protobuf.FileDescriptorSet` says (with its imports, as `buf build` writes it) and returns the
   * resources that are new. Messages that are known already, and those that no kind needs, are passed over. Throws, and
   * adds nothing, when it names a message that is absent, contradicts itself, or claims a resource or kind that is there
   * already.
   */
  register(descriptorSet: Uint8Array): ResourceDefinition[] {
    const added = partsOfKinds(this.#read(descriptorSet));
    for (const entry of added.values()) entry.schema();
    return this.#add(added);
  }

  #read(descriptorSet: Uint8Array): Map<string, MessageEntry> {
    const added = new Map<string, MessageEntry>();
    const find = (name: string) => {
      const entry = added.get(name) ?? this.#messages.get(name);
      if (entry === undefined) throw new Error(`the descriptor set lacks ${name}`);
      return entry;
    };
    for (const file of readDescriptorSet(descriptorSet)) {
      for (const whole of file.messages) {
        const descriptor = this.#withLaterFields ? whole : withoutLater(whole);
        if (descriptor !== undefined && !this.#messages.has(descriptor.name)) {
          added.set(descriptor.name, messageEntry(descriptor, find));
        }
      }
    }
    return added;
  }

  #add(added: ReadonlyMap<string, MessageEntry>): ResourceDefinition[] {
    const kinds = newNames(
      this.#kinds,
      [...added.values()].map((entry) => [kindKey(entry.descriptor), entry]),
    );
    const definitions = [...added.values()]
      .filter(({ descriptor }) => descriptor.resource !== undefined)
      .map((entry) => define(entry, added));
    const resources = newNames(
      this.#resources,
      definitions.map((definition) => [key(definition, definition.resource), definition]),
    );
    for (const [name, entry] of added) this.#messages.set(name, entry);
    for (const [name, entry] of kinds) this.#kinds.set(name, entry);
    for (const [name, definition] of resources) this.#resources.set(name, definition);
    for (const definition of definitions) this.#resourcesByKind.set(key(definition, definition.kind), definition);
    return definitions;
  }

  /** By plural: `("apps", "v1", "deployments")`. */
  resource(group: string, version: string, resource: string): ResourceDefinition | undefined {
    return this.#resources.get(key({ group, version }, resource));
  }

  /** The resource that serves a kind; undefined for kinds without one of their own (lists, options, Scale). */
  resourceOfKind(group: string, version: string, kind: string): ResourceDefinition | undefined {
    return this.#resourcesByKind.get(key({ group, version }, kind));
  }

  /** The message of any kind that a body may have in this group version, options and lists included. */
  schemaOfKind(group: string, version: string, kind: string): MessageSchema | undefined {
    const own = this.#kinds.get(key({ group, version }, kind));
    return (own ?? (this.#isServed(group, version) ? this.#kinds.get(key(everyGroup, kind)) : undefined))?.schema();
  }

  /** By full protobuf name, `k8s.io.api.core.v1.Pod`. */
  message(name: string): MessageSchema | undefined {
    return this.#messages.get(name)?.schema();
  }

  /** All messages by full name, for who walks them all (OpenAPI). */
  messageNames(): string[] {
    return [...this.#messages].filter(([, entry]) => !entry.descriptor.isMapEntry).map(([name]) => name);
  }

  resources(): ResourceDefinition[] {
    return [...this.#resources.values()];
  }

  /** Sorted by plural, as discovery lists them. */
  resourcesOf(group: string, version: string): ResourceDefinition[] {
    return this.resources()
      .filter((definition) => definition.group === group && definition.version === version)
      .sort((a, b) => (a.resource < b.resource ? -1 : 1));
  }

  /** Group versions that serve resources, in the order of discovery: core, then upstream's order, then by name. */
  groupVersions(): GroupVersionName[] {
    const found = new Map<string, GroupVersionName>();
    for (const { group, version } of this.#resources.values()) found.set(`${group}/${version}`, { group, version });
    return [...found.values()].sort(compareGroups);
  }

  #isServed(group: string, version: string): boolean {
    return this.resources().some((definition) => definition.group === group && definition.version === version);
  }
}

const coreGroup: GroupVersionName = { group: "", version: "v1" };
const everyGroup: GroupVersionName = { group: "*", version: "*" };

/** As the release has it that we serve: undefined for a message that is later. */
function withoutLater(descriptor: MessageDescriptor): MessageDescriptor | undefined {
  if (descriptor.options?.since) return undefined;
  return { ...descriptor, fields: descriptor.fields.filter((field) => !field.options?.since) };
}

function messageEntry(descriptor: MessageDescriptor, find: FindMessage): MessageEntry {
  let schema: MessageSchema | undefined;
  return {
    descriptor,
    schema: () => {
      schema ??= buildMessageSchema(descriptor, find);
      return schema;
    },
  };
}

function define(entry: MessageEntry, added: ReadonlyMap<string, MessageEntry>): ResourceDefinition {
  const list = added.get(`${entry.descriptor.name}List`);
  return buildResourceDefinition(entry.descriptor, { object: entry.schema, list: list?.schema });
}

/** A foreign set brings its imports along, down to protobuf's own. */
function partsOfKinds(all: ReadonlyMap<string, MessageEntry>): Map<string, MessageEntry> {
  const parts = new Map<string, MessageEntry>();
  const visit = (name: string) => {
    const entry = all.get(name);
    if (entry === undefined || parts.has(name)) return;
    parts.set(name, entry);
    for (const field of entry.descriptor.fields) visit(field.typeName);
  };
  for (const [name, { descriptor }] of all) if (kindKey(descriptor) !== undefined) visit(name);
  return parts;
}

/** Undefined for messages that are no kinds. */
function kindKey(descriptor: MessageDescriptor): string | undefined {
  const { resource, kind, file } = descriptor;
  const name = descriptor.name.slice(descriptor.name.lastIndexOf(".") + 1);
  if (kind === Kind.KIND_OF_EVERY_GROUP) return key(everyGroup, name);
  if (kind === Kind.KIND_OF_CORE) return key(coreGroup, name);
  const isKind = resource !== undefined || kind !== Kind.KIND_UNSPECIFIED;
  return isKind && file.api !== undefined ? key(file.api, name) : undefined;
}

function newNames<T>(known: ReadonlyMap<string, T>, added: (readonly [string | undefined, T])[]): Map<string, T> {
  const names = new Map<string, T>();
  for (const [name, value] of added) {
    if (name === undefined) continue;
    if (known.has(name) || names.has(name)) throw new Error(`${name} is registered already`);
    names.set(name, value);
  }
  return names;
}

function key({ group, version }: GroupVersionName, name: string): string {
  return `${group}/${version}/${name}`;
}
