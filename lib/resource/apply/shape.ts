import { jsonFields, messageOf } from "../json-fields.ts";
import type { JsonValue } from "../json-value.ts";
import type { FieldSchema, MessageSchema } from "../schema.ts";

/**
 * How a value is taken apart when fields are owned and merged (KEP-555): `atomic` values are owned and replaced whole;
 * the members of structs and maps, the items of sets and of lists with keys one by one.
 */
export type Shape =
  | { readonly kind: "atomic" }
  /** No field of the message (apiVersion and kind are none either): nobody owns it. */
  | { readonly kind: "unknown" }
  | { readonly kind: "struct"; readonly members: (name: string) => Shape }
  | { readonly kind: "map"; readonly values: Shape }
  | { readonly kind: "set" }
  | { readonly kind: "keyed-list"; readonly keys: readonly ListKey[]; readonly items: Shape };

export interface ListKey {
  readonly name: string;
  /** Stands for the key where an item leaves it out. */
  readonly default: JsonValue | undefined;
}

const atomic: Shape = { kind: "atomic" };
const unknown: Shape = { kind: "unknown" };
const shapes = new WeakMap<MessageSchema, Shape>();

/** The shape of a message; of a kind its outermost object. */
export function shapeOf(schema: MessageSchema): Shape {
  const known = shapes.get(schema);
  if (known !== undefined) return known;
  const shape: Shape = schema.form !== "object" || schema.atomic ? atomic : structOf(schema);
  shapes.set(schema, shape);
  return shape;
}

function structOf(schema: MessageSchema): Shape {
  const members = new Map<string, Shape>();
  return {
    kind: "struct",
    members: (name) => {
      const known = members.get(name);
      if (known !== undefined) return known;
      const field = jsonFields(schema).get(name);
      const shape = field === undefined ? unknown : fieldShape(field);
      members.set(name, shape);
      return shape;
    },
  };
}

function fieldShape(field: FieldSchema): Shape {
  const message = messageOf(field);
  if (field.mapKey !== undefined) {
    return field.mapType === "atomic"
      ? atomic
      : { kind: "map", values: message === undefined ? atomic : shapeOf(message) };
  }
  if (field.repeated) return listShape(field, message);
  if (message === undefined || field.structType === "atomic") return atomic;
  return shapeOf(message);
}

function listShape(field: FieldSchema, message: MessageSchema | undefined): Shape {
  if (field.listType === "set") return { kind: "set" };
  if (field.listType !== "map" || message === undefined) return atomic;
  const fields = jsonFields(message);
  const keys = field.listMapKeys.map((name) => ({
    name,
    default: fields.get(name)?.default?.value as JsonValue | undefined,
  }));
  return { kind: "keyed-list", keys, items: shapeOf(message) };
}
