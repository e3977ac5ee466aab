import { jsonFields, messageOf } from "../json-fields.ts";
import type { FieldSchema, MessageForm, MessageSchema, ScalarType } from "../schema.ts";
import { componentName } from "./component-name.ts";

/** Which OpenAPI: they differ in how a reference is written and in what a value of two types is. */
export type Dialect = "v2" | "v3";

/** A JSON schema as OpenAPI has it. */
export type SchemaObject = { readonly [name: string]: unknown };

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const scalars: Readonly<Record<ScalarType, SchemaObject>> = {
  string: { type: "string" },
  bool: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  uint32: { type: "integer", format: "int64" },
  int64: { type: "integer", format: "int64" },
  uint64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
};

const API_VERSION_TEXT = "Group and version of the object, which say how its members are to be read.";
const KIND_TEXT = "What the object is: its REST resource follows from it. In CamelCase; cannot be changed.";

/** The schema of a whole message, for the list of components. */
export function messageSchemaObject(
  schema: MessageSchema,
  kinds: readonly GroupVersionKind[],
  dialect: Dialect,
): SchemaObject {
  const described = schema.description === "" ? {} : { description: schema.description };
  if (schema.form !== "object") return { ...described, ...formObject(schema.form, schema, dialect) };
  const properties: Record<string, SchemaObject> = {};
  const required: string[] = [];
  if (schema.isKind) {
    properties["apiVersion"] = { description: API_VERSION_TEXT, type: "string" };
    properties["kind"] = { description: KIND_TEXT, type: "string" };
  }
  for (const [name, field] of jsonFields(schema)) {
    properties[name] = fieldObject(field, dialect);
    if (field.required) required.push(name);
  }
  const sorted = Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    ...described,
    type: "object",
    ...(required.length === 0 ? {} : { required: required.sort() }),
    ...(Object.keys(sorted).length === 0 ? {} : { properties: sorted }),
    ...(kinds.length === 0 ? {} : { "x-kubernetes-group-version-kind": kinds }),
    ...(schema.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
  };
}

function formObject(form: MessageForm, schema: MessageSchema, dialect: Dialect): SchemaObject {
  switch (form) {
    case "time":
    case "micro-time":
      return { type: "string", format: "date-time" };
    case "duration":
      return { type: "string" };
    case "quantity":
      return dialect === "v2" ? { type: "string" } : { oneOf: [{ type: "string" }, { type: "number" }] };
    case "int-or-string":
      return dialect === "v2"
        ? { type: "string", format: "int-or-string" }
        : { oneOf: [{ type: "integer" }, { type: "string" }], format: "int-or-string" };
    case "raw-object":
      return { type: "object" };
    case "array": {
      const [items] = schema.fields;
      return { type: "array", items: items === undefined ? {} : valueObject(items, dialect) };
    }
    default:
      return {};
  }
}

function fieldObject(field: FieldSchema, dialect: Dialect): SchemaObject {
  const extensions = {
    ...(field.listMapKeys.length === 0 ? {} : { "x-kubernetes-list-map-keys": field.listMapKeys }),
    ...(field.listType === undefined ? {} : { "x-kubernetes-list-type": field.listType }),
    ...(mapTypeOf(field) === undefined ? {} : { "x-kubernetes-map-type": mapTypeOf(field) }),
    ...(field.patchMergeKey === undefined ? {} : { "x-kubernetes-patch-merge-key": field.patchMergeKey }),
    ...(field.patchStrategy === undefined ? {} : { "x-kubernetes-patch-strategy": field.patchStrategy }),
  };
  // kubectl explain shows the description of the message as well: the same need not be said twice.
  const isSaid = field.description === "" || field.description === messageOf(field)?.description;
  const described = isSaid ? {} : { description: field.description };
  const value = valueObject(field, dialect);
  if (field.mapKey !== undefined) return { ...described, type: "object", additionalProperties: value, ...extensions };
  if (field.repeated) return { ...described, type: "array", items: value, ...extensions };
  // In v2 nothing may stand beside a reference, but upstream's description does, and clients read it.
  return { ...described, ...value, ...extensions };
}

function mapTypeOf(field: FieldSchema): string | undefined {
  return field.mapType ?? field.structType;
}

function valueObject(field: FieldSchema, dialect: Dialect): SchemaObject {
  const message = messageOf(field);
  if (message !== undefined) {
    const name = componentName(message.name);
    if (dialect === "v2") return { $ref: `#/definitions/${name}` };
    const reference = { $ref: `#/components/schemas/${name}` };
    return message.form === "object" && !field.presence ? { allOf: [reference], default: {} } : { allOf: [reference] };
  }
  const scalar = field.type === "message" ? {} : scalars[field.type];
  const { enumValues } = field;
  return enumValues?.closed === true ? { ...scalar, enum: enumValues.values.toSorted() } : scalar;
}

/** All messages that a schema names, at any depth, itself included. */
export function reachableMessages(roots: readonly MessageSchema[]): Map<string, MessageSchema> {
  const found = new Map<string, MessageSchema>();
  const open = [...roots];
  for (let schema = open.pop(); schema !== undefined; schema = open.pop()) {
    if (found.has(schema.name)) continue;
    found.set(schema.name, schema);
    if (schema.form !== "object" && schema.form !== "array") continue;
    for (const field of schema.form === "array" ? schema.fields : jsonFields(schema).values()) {
      const message = messageOf(field);
      if (message !== undefined) open.push(message);
    }
  }
  return found;
}
