import type { FieldSchema } from "../schema.ts";

/** What the encodings depend on. */
export type FieldShape = Pick<
  FieldSchema,
  | "number"
  | "protoName"
  | "jsonName"
  | "type"
  | "repeated"
  | "mapKey"
  | "inlined"
  | "notInJson"
  | "presence"
  | "omitEmpty"
  | "omitZero"
>;

/** What of a field every kind of field codec has. */
export function head(field: FieldShape, wireType: number): { number: number; tag: number; name: string } {
  return { number: field.number, tag: field.number * 8 + wireType, name: field.notInJson ? "" : field.jsonName };
}
