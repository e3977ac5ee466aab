import type { FieldSchema, MessageSchema } from "../schema.ts";
import { choiceCodec } from "./choice-codecs.ts";
import { compileField } from "./field-codecs.ts";
import { FORM_CODECS } from "./form-codecs.ts";
import { writeJsonList } from "./list-field.ts";
import { ObjectCodec } from "./object-codec.ts";
import { scalarCodec } from "./scalar-codecs.ts";
import type { NormalObject, ValueCodec } from "./value-codec.ts";

const codecs = new WeakMap<MessageSchema, ValueCodec>();

/** The codec of a message; made when it is first asked for. */
export function messageCodec(schema: MessageSchema): ValueCodec {
  let codec = codecs.get(schema);
  if (codec === undefined) {
    codec = makeCodec(schema);
    codecs.set(schema, codec);
  }
  return codec;
}

function makeCodec(schema: MessageSchema): ValueCodec {
  switch (schema.form) {
    case "object":
      return new ObjectCodec(schema, valueCodec) as ValueCodec;
    case "array":
      return listCodec(schema);
    case "schema-or-bool":
    case "schema-or-array":
    case "schema-or-string-array":
      return choiceCodec(schema, messageCodec);
    default:
      return FORM_CODECS[schema.form] as ValueCodec;
  }
}

function valueCodec(field: FieldSchema): ValueCodec {
  if (field.type !== "message") {
    return scalarCodec(field.type);
  }
  if (field.message === undefined) {
    throw new Error(`schema of field ${field.protoName} is missing`);
  }
  return messageCodec(field.message());
}

/**
 * A message whose only field is a list that stands for it in JSON (ExtraValue, Verbs). As the value of a map it may be
 * null, which is written as an empty list and read back as one.
 */
function listCodec(schema: MessageSchema): ValueCodec<unknown[] | null> {
  const [field] = schema.fields;
  if (field === undefined) {
    throw new Error(`message ${schema.name} has no field`);
  }
  const element = valueCodec(field);
  const list = compileField({ ...field, jsonName: "items" }, element);
  return {
    wireType: 2,
    fromJson: (value, walk) => (list.fromJson(value, walk) ?? []) as unknown[],
    writeJson(value, out) {
      if (value === null) {
        out.ascii("null");
      } else {
        writeJsonList(value, element, out);
      }
    },
    zero: () => null,
    isZero: (value) => value === null,
    write(value, writer) {
      const before = writer.sizeBytes;
      list.write(value ?? [], writer);
      writer.varint(writer.sizeBytes - before);
    },
    read(reader, end, previous) {
      const stop = reader.delimited(end);
      const target: NormalObject = previous === undefined ? {} : { items: previous };
      while (reader.position < stop) {
        const tag = reader.varint(stop);
        if (tag === list.tag) {
          list.read(reader, stop, target);
        } else {
          reader.skip(tag & 7, stop);
        }
      }
      return (target["items"] ?? []) as unknown[];
    },
  };
}
