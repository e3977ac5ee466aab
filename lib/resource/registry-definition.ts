import { createHash } from "node:crypto";
import type { Column, Resource } from "../gen/keelson/v1/annotations.ts";
import type { ColumnDefinition, ResourceDefinition, SubresourceDefinition, Verb } from "./kind.ts";
import type { MessageDescriptor } from "./registry-descriptors.ts";
import type { MessageSchema } from "./schema.ts";

const allVerbs: readonly Verb[] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const subresourceVerbs: readonly Verb[] = ["get", "patch", "update"];
const columnTypes = ["string", "integer", "number", "boolean", "date"] as const;
const nameFormats = ["dns-subdomain", "dns-label", "path-segment"] as const;
const propagations = ["background", "orphan", "none"] as const;

/** What tables show for a resource that names no columns. */
const plainColumns: readonly ColumnDefinition[] = [
  { name: "Name", type: "string", format: "name", priority: 0, description: "", path: "metadata.name" },
  { name: "Age", type: "date", format: "", priority: 0, description: "", path: "metadata.creationTimestamp" },
];

export interface ResourceSchemas {
  readonly object: () => MessageSchema;
  readonly list: (() => MessageSchema) | undefined;
}

/** Reads the `resource` annotation of a message; throws when it contradicts itself. Schemas are built when first asked. */
export function buildResourceDefinition(descriptor: MessageDescriptor, schemas: ResourceSchemas): ResourceDefinition {
  const { resource } = descriptor;
  const api = descriptor.file.api;
  if (resource === undefined) throw new Error(`${descriptor.name} is no resource`);
  if (api === undefined)
    throw new Error(`${descriptor.file.path}: a file with resources needs option (keelson.v1.api)`);
  if (resource.plural === "") throw new Error(`${descriptor.name}: a resource needs a plural`);
  const { group, version } = api;
  const kind = descriptor.name.slice(descriptor.name.lastIndexOf(".") + 1);
  const storedAs = splitApiVersion(resource.storage?.apiVersion || (group === "" ? version : `${group}/${version}`));
  const verbs = resource.verbs.length > 0 ? resource.verbs.map((verb) => oneOf(allVerbs, verb, kind)) : allVerbs;
  let immutable: readonly string[] | undefined;
  const stored = verbs.includes("create") && verbs.includes("get");
  return {
    group,
    version,
    kind,
    resource: resource.plural,
    singular: resource.singular || kind.toLowerCase(),
    shortNames: resource.shortNames,
    categories: resource.categories,
    namespaced: !resource.clusterScoped,
    verbs,
    subresources: subresources(resource, { group, version, kind }),
    columns:
      resource.columns.length > 0 ? resource.columns.map((column) => columnDefinition(column, kind)) : plainColumns,
    storage: {
      prefix: resource.storage?.key || (group === "" ? resource.plural : `${group}/${resource.plural}`),
      ...storedAs,
      ttlSeconds: Number(resource.storage?.ttlSeconds ?? 0),
    },
    selectableFields: resource.selectableFields,
    fieldAliases: new Map(resource.fieldAliases.map((alias) => [alias.name, alias.path])),
    sensitive: resource.sensitive,
    nameFormat: oneOf(nameFormats, resource.nameFormat || "dns-subdomain", kind),
    get immutablePaths() {
      immutable ??= immutablePaths(schemas.object(), "", []);
      return immutable;
    },
    generationPaths: resource.generationPaths,
    createOnUpdate: resource.createOnUpdate,
    conditionalUpdate: resource.conditionalUpdate,
    defaultPropagation: oneOf(propagations, resource.defaultPropagation || "background", kind),
    gracefulDelete: resource.gracefulDelete,
    ...(resource.initialStatus === "" ? {} : { initialStatus: JSON.parse(resource.initialStatus) }),
    hasStatus: resource.subresources.some((subresource) => subresource.name === "status"),
    stored,
    get schema() {
      return schemas.object();
    },
    get listSchema() {
      return schemas.list?.();
    },
    storageVersionHash: stored ? storageVersionHash(storedAs.group, storedAs.version, kind) : "",
  };
}

/** Members of lists and maps have no path of their own, so what is immutable stands outside of them. */
function immutablePaths(schema: MessageSchema, prefix: string, above: readonly MessageSchema[]): string[] {
  return schema.fields.flatMap((field) => {
    const path = field.inlined ? prefix : `${prefix}${field.jsonName}`;
    if (field.immutable) return [path];
    const part = field.repeated || field.mapKey !== undefined ? undefined : field.message?.();
    if (part === undefined || above.includes(part)) return [];
    return immutablePaths(part, field.inlined ? prefix : `${path}.`, [...above, schema]);
  });
}

/** Discovery's hash: the first 8 bytes of SHA-256 of group/version/Kind of the stored version, in base64. */
function storageVersionHash(group: string, version: string, kind: string): string {
  return createHash("sha256").update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString("base64");
}

function subresources(
  resource: Resource,
  own: { readonly group: string; readonly version: string; readonly kind: string },
): SubresourceDefinition[] {
  return resource.subresources.map((subresource) => ({
    name: subresource.name,
    group: subresource.group || own.group,
    version: subresource.version || own.version,
    kind: subresource.kind || own.kind,
    verbs:
      subresource.verbs.length > 0
        ? subresource.verbs.map((verb) => oneOf(allVerbs, verb, own.kind))
        : subresourceVerbs,
  }));
}

function columnDefinition(column: Column, kind: string): ColumnDefinition {
  return {
    name: column.name,
    type: oneOf(columnTypes, column.type || "string", kind),
    format: column.format,
    priority: column.priority,
    description: column.description,
    path: column.path,
  };
}

function splitApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf("/");
  return { group: apiVersion.slice(0, Math.max(slash, 0)), version: apiVersion.slice(slash + 1) };
}

function oneOf<T extends string>(allowed: readonly T[], value: string, kind: string): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`${kind}: ${value} is none of ${allowed.join(", ")}`);
  return found;
}
