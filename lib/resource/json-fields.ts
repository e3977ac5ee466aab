import type { FieldSchema, MessageSchema } from "./schema.ts";

const cache = new WeakMap<MessageSchema, ReadonlyMap<string, FieldSchema>>();

/** The members of the message's JSON object by name, in order; those of inlined fields stand where upstream has them. */
export function jsonFields(schema: MessageSchema): ReadonlyMap<string, FieldSchema> {
  const known = cache.get(schema);
  if (known !== undefined) return known;
  const fields = new Map<string, FieldSchema>();
  for (const field of schema.fields) {
    if (field.notInJson) continue;
    if (!field.inlined) {
      if (field.jsonName !== "") fields.set(field.jsonName, field);
    } else if (field.message !== undefined) {
      for (const [name, inner] of jsonFields(field.message())) fields.set(name, inner);
    }
  }
  cache.set(schema, fields);
  return fields;
}

/** The schema of the message, list item or map value that the field holds; undefined for scalars. */
export function messageOf(field: FieldSchema | undefined): MessageSchema | undefined {
  return field?.type === "message" ? field.message?.() : undefined;
}
