import { readFileSync } from "node:fs";
import { LATER_FIELDS, LATER_MESSAGES } from "./later-fields.ts";
import type { FieldSchema, MessageForm, MessageSchema, ScalarType } from "../../schema.ts";

/** A message of contracts/kubernetes-api.json, as far as the codec needs it. */
export interface TableMessage {
  readonly m: string;
  readonly tm?: 1;
  readonly j?: string;
  readonly f: readonly TableField[];
}

export interface TableField {
  readonly n: string;
  readonly i: number;
  readonly t: string;
  readonly j?: string;
  readonly k?: ScalarType;
  readonly r?: 1;
  readonly p?: 1;
  readonly in?: 1;
  readonly jx?: 1;
  readonly oe?: 1;
  readonly oz?: 1;
}

const FORMS: Record<string, MessageForm> = {
  "string:rfc3339-seconds-utc|null": "time",
  "string:rfc3339-6digits-utc|null": "micro-time",
  "string:go-duration": "duration",
  "string:quantity": "quantity",
  "int|string": "int-or-string",
  raw: "raw",
  "raw-object": "raw-object",
  array: "array",
  "JSONSchemaProps|bool": "schema-or-bool",
  "JSONSchemaProps|[JSONSchemaProps]": "schema-or-array",
  "JSONSchemaProps|[string]": "schema-or-string-array",
};
const SCALARS = new Set(["string", "bool", "int32", "int64", "uint32", "uint64", "double", "bytes"]);

/** Schemas straight from the contract tables, by their name there (`core/v1.Pod`). For tests of the codec alone. */
export function loadTableSchemas(file: string): Map<string, MessageSchema> {
  const table = JSON.parse(readFileSync(file, "utf8")) as { messages: TableMessage[] };
  return schemasOf(table.messages);
}

/** The same with members that upstream added later, for the packages that `registered` does not know. */
export function loadLaterSchemas(file: string, registered: FindSchema): Map<string, MessageSchema> {
  const table = JSON.parse(readFileSync(file, "utf8")) as { messages: TableMessage[] };
  const messages = table.messages.map((message) => ({
    ...message,
    f: [...message.f, ...(LATER_FIELDS[message.m] ?? [])],
  }));
  return schemasOf([...messages, ...LATER_MESSAGES], registered);
}

type FindSchema = (name: string) => MessageSchema | undefined;

function schemasOf(messages: readonly TableMessage[], registered?: FindSchema): Map<string, MessageSchema> {
  const schemas = new Map<string, MessageSchema>();
  const find = (name: string): MessageSchema | undefined => registered?.(name) ?? schemas.get(name);
  for (const message of messages) {
    const alias = message.m.slice(0, message.m.lastIndexOf("."));
    schemas.set(message.m, {
      name: message.m,
      form: FORMS[message.j ?? ""] ?? "object",
      fields: message.f.map((field) => fieldSchema(field, alias, find)),
      isKind: message.tm === 1 || message.j === "metav1.List",
      atomic: false,
      defaults: [],
      defaultHooks: [],
      description: "",
    });
  }
  return schemas;
}

function fieldSchema(field: TableField, alias: string, find: FindSchema): FieldSchema {
  const common = {
    number: field.i,
    protoName: field.n,
    jsonName: field.in === 1 || field.jx === 1 ? "" : (field.j ?? field.n),
    repeated: field.r === 1,
    ...(field.k === undefined ? {} : { mapKey: field.k }),
    inlined: field.in === 1,
    notInJson: field.jx === 1,
    presence: field.p === 1,
    omitEmpty: field.oe === 1,
    omitZero: field.oz === 1,
    required: false,
    optional: false,
    nullable: false,
    nonEmpty: false,
    format: "",
    listMapKeys: [],
    immutable: false,
    description: "",
  };
  if (SCALARS.has(field.t)) {
    return { ...common, type: field.t as ScalarType };
  }
  const name = field.t.includes(".") ? field.t : `${alias}.${field.t}`;
  const message = (): MessageSchema => {
    const schema = find(name);
    if (schema === undefined) {
      throw new Error(`no message ${name}`);
    }
    return schema;
  };
  return { ...common, type: "message", message };
}

/** Protobuf packages by their alias in the tables. */
export function packagesByAlias(file: string): Map<string, string> {
  const table = JSON.parse(readFileSync(file, "utf8")) as { packages: { a: string; package: string }[] };
  return new Map(table.packages.map((entry) => [entry.a, entry.package]));
}
