import type { MessageSchema } from "../schema.ts";
import { writeJsonList } from "./list-field.ts";
import { scalarCodec } from "./scalar-codecs.ts";
import type { ValueCodec } from "./value-codec.ts";

/**
 * JSONSchemaPropsOrBool, OrArray, OrStringArray: a schema, or a boolean, or a list. Field 1 and 2 of the message hold them;
 * an empty list stands for "neither", which JSON shows as null.
 */
export function choiceCodec(schema: MessageSchema, codecOf: (schema: MessageSchema) => ValueCodec): ValueCodec {
  const schemaField = schema.fields.find((field) => field.jsonName === "schema" || field.protoName === "schema");
  const otherField = schema.fields.find((field) => field !== schemaField);
  if (schemaField?.message === undefined || otherField === undefined) {
    throw new Error(`message ${schema.name} is not a choice`);
  }
  const { message } = schemaField;
  const props = (): ValueCodec => codecOf(message());
  const parts = {
    schemaTag: schemaField.number * 8 + 2,
    otherTag: otherField.number * 8 + (otherField.repeated ? 2 : 0),
    props,
  };
  if (schema.form === "schema-or-bool") {
    return boolChoice(parts);
  }
  return listChoice(parts, schema.form === "schema-or-array" ? props : () => scalarCodec("string"));
}

interface Parts {
  readonly schemaTag: number;
  readonly otherTag: number;
  readonly props: () => ValueCodec;
}

function boolChoice({ schemaTag, otherTag, props }: Parts): ValueCodec {
  return {
    wireType: 2,
    fromJson: (value, walk) => (typeof value === "boolean" ? value : props().fromJson(value, walk)),
    writeJson: (value, out) => (typeof value === "boolean" ? out.ascii(String(value)) : props().writeJson(value, out)),
    zero: () => false,
    isZero: (value) => value === false,
    write(value, writer) {
      const before = writer.sizeBytes;
      if (typeof value !== "boolean") {
        props().write(value, writer);
        writer.varint(schemaTag);
      }
      writer.varint(value === false ? 0 : 1);
      writer.varint(otherTag);
      writer.varint(writer.sizeBytes - before);
    },
    read(reader, end) {
      const stop = reader.delimited(end);
      let allows = false;
      let schema: unknown;
      while (reader.position < stop) {
        const tag = reader.varint(stop);
        if (tag === otherTag) {
          allows = reader.bool(stop);
        } else if (tag === schemaTag) {
          schema = props().read(reader, stop, schema);
        } else {
          reader.skip(tag & 7, stop);
        }
      }
      return schema ?? allows;
    },
  };
}

function listChoice({ schemaTag, otherTag, props }: Parts, element: () => ValueCodec): ValueCodec {
  return {
    wireType: 2,
    fromJson(value, walk) {
      if (!Array.isArray(value)) {
        return props().fromJson(value, walk);
      }
      const depth = walk.depth++;
      walk.countElements(value.length);
      const list = value.map((item, index) => {
        walk.path[depth] = index;
        return item === null ? element().zero() : element().fromJson(item, walk);
      });
      walk.depth = depth;
      return list;
    },
    writeJson(value, out) {
      if (!Array.isArray(value)) {
        props().writeJson(value, out);
      } else if (value.length === 0) {
        out.ascii("null");
      } else {
        writeJsonList(value, element(), out);
      }
    },
    zero: () => [],
    isZero: (value) => Array.isArray(value) && value.length === 0,
    write(value, writer) {
      const before = writer.sizeBytes;
      if (Array.isArray(value)) {
        for (const item of value.toReversed()) {
          element().write(item, writer);
          writer.varint(otherTag);
        }
      } else {
        props().write(value, writer);
        writer.varint(schemaTag);
      }
      writer.varint(writer.sizeBytes - before);
    },
    read(reader, end) {
      const stop = reader.delimited(end);
      const list: unknown[] = [];
      let schema: unknown;
      while (reader.position < stop) {
        const tag = reader.varint(stop);
        if (tag === otherTag) {
          reader.countElement();
          list.push(element().read(reader, stop, undefined));
        } else if (tag === schemaTag) {
          schema = props().read(reader, stop, schema);
        } else {
          reader.skip(tag & 7, stop);
        }
      }
      return list.length > 0 ? list : (schema ?? []);
    },
  };
}
