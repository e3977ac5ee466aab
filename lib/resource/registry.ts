import { Kind } from "../gen/keelson/v1/annotations.ts";
import { compareGroups } from "./group-order.ts";
import type { ResourceDefinition } from "./kind.ts";
import { buildResourceDefinition } from "./registry-definition.ts";
import { type MessageDescriptor, readDescriptorSet } from "./registry-descriptors.ts";
import { buildMessageSchema } from "./registry-schema.ts";
import type { MessageSchema } from "./schema.ts";

export interface GroupVersionName {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
}

interface MessageEntry {
  readonly descriptor: MessageDescriptor;
  /** Built when first asked, then kept. */
  readonly schema: () => MessageSchema;
}

/**
 * A registry with the kinds of one descriptor set, which must be whole: a message that is absent shows only when its
 * schema is asked for.
 */
export function loadRegistry(descriptorSet: Uint8Array): Registry {
  return new Registry(descriptorSet);
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
  readonly #kindsOfEveryGroup = new Map<string, MessageEntry>();

  constructor(descriptorSet: Uint8Array) {
    this.#add(this.#read(descriptorSet));
  }

  /**
   * Adds what a `google.protobuf.FileDescriptorSet` says (with its imports, as `buf build` writes it) and returns the
   * resources that are new. Messages that are known already are passed over. Throws, and adds nothing, when it names a
   * message that is absent, or a resource or kind that another file has.
   */
  register(descriptorSet: Uint8Array): ResourceDefinition[] {
    const added = this.#read(descriptorSet);
    checkReferences(added, this.#messages);
    return this.#add(added);
  }

  #read(descriptorSet: Uint8Array): Map<string, MessageEntry> {
    const added = new Map<string, MessageEntry>();
    for (const file of readDescriptorSet(descriptorSet)) {
      for (const descriptor of file.messages) {
        if (!this.#messages.has(descriptor.name)) added.set(descriptor.name, this.#entry(descriptor));
      }
    }
    return added;
  }

  #add(added: ReadonlyMap<string, MessageEntry>): ResourceDefinition[] {
    const definitions = [...added.values()]
      .filter(({ descriptor }) => descriptor.resource !== undefined)
      .map((entry) => this.#define(entry, added));
    this.#checkNew(definitions);
    for (const [name, entry] of added) this.#messages.set(name, entry);
    for (const entry of added.values()) this.#addKind(entry);
    for (const definition of definitions) {
      this.#resources.set(key(definition, definition.resource), definition);
      this.#resourcesByKind.set(key(definition, definition.kind), definition);
    }
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
    const entry = this.#kinds.get(key({ group, version }, kind)) ?? this.#everyGroupKind({ group, version }, kind);
    return entry?.schema();
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

  #everyGroupKind(api: GroupVersionName, kind: string): MessageEntry | undefined {
    const isServed = this.resources().some(({ group, version }) => group === api.group && version === api.version);
    return isServed ? this.#kindsOfEveryGroup.get(kind) : undefined;
  }

  #entry(descriptor: MessageDescriptor): MessageEntry {
    let schema: MessageSchema | undefined;
    return {
      descriptor,
      schema: () => {
        schema ??= buildMessageSchema(descriptor, (name) => this.#messages.get(name) ?? missing(name));
        return schema;
      },
    };
  }

  #define(entry: MessageEntry, added: ReadonlyMap<string, MessageEntry>): ResourceDefinition {
    const list = added.get(`${entry.descriptor.name}List`);
    return buildResourceDefinition(entry.descriptor, { object: entry.schema, list: list?.schema });
  }

  #checkNew(definitions: readonly ResourceDefinition[]): void {
    const seen = new Set<string>();
    for (const definition of definitions) {
      for (const name of [key(definition, definition.resource), key(definition, definition.kind)]) {
        if (this.#resources.has(name) || this.#resourcesByKind.has(name) || seen.has(name)) {
          throw new Error(`${name} is registered already`);
        }
      }
      seen.add(key(definition, definition.resource)).add(key(definition, definition.kind));
    }
  }

  #addKind(entry: MessageEntry): void {
    const { descriptor } = entry;
    const name = descriptor.name.slice(descriptor.name.lastIndexOf(".") + 1);
    if (descriptor.kind === Kind.KIND_OF_EVERY_GROUP) this.#kindsOfEveryGroup.set(name, entry);
    else if (descriptor.kind === Kind.KIND_OF_CORE) this.#kinds.set(key({ group: "", version: "v1" }, name), entry);
    else if (descriptor.file.api !== undefined && isKind(descriptor))
      this.#kinds.set(key(descriptor.file.api, name), entry);
  }
}

function isKind(descriptor: MessageDescriptor): boolean {
  return descriptor.resource !== undefined || descriptor.kind !== Kind.KIND_UNSPECIFIED;
}

function checkReferences(added: ReadonlyMap<string, MessageEntry>, known: ReadonlyMap<string, MessageEntry>): void {
  for (const { descriptor } of added.values()) {
    for (const { typeName, type } of descriptor.fields) {
      if (typeName !== "" && type === 11 && !added.has(typeName) && !known.has(typeName)) missing(typeName);
    }
  }
}

function missing(name: string): never {
  throw new Error(`the descriptor set lacks ${name}`);
}

function key({ group, version }: GroupVersionName, name: string): string {
  return `${group}/${version}/${name}`;
}
