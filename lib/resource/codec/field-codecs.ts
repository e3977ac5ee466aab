import { type FieldShape, head } from "./field-shape.ts";
import { JsonWriter } from "./json-writer.ts";
import { listField } from "./list-field.ts";
import { mapField } from "./map-field.ts";
import type { FieldCodec, ValueCodec } from "./value-codec.ts";
import { WireWriter } from "./wire-writer.ts";

/** The codec of a field whose values `codec` handles. */
export function compileField(field: FieldShape, codec: ValueCodec): FieldCodec {
  if (field.inlined) {
    return inlinedField(field, codec);
  }
  if (field.mapKey !== undefined) {
    return mapField(field, codec);
  }
  if (field.repeated) {
    return listField(field, codec);
  }
  if (field.presence || field.type === "bytes") {
    return presentField(field, codec);
  }
  return field.type === "string" ? stringField(field, codec) : valueField(field, codec);
}

/** As `valueField`; most members are strings, so these are handled without a codec in between. */
function stringField(field: FieldShape, codec: ValueCodec): FieldCodec {
  const general = valueField(field, codec);
  const { tag, name } = general;
  const prefix = Buffer.from(`,"${name}":`);
  const isOmitted = field.omitZero || field.omitEmpty;
  return {
    ...general,
    fromJson(value, walk) {
      if (typeof value !== "string") {
        throw walk.wrongType("string", value);
      }
      return value === "" ? undefined : value;
    },
    writeJson(value, out) {
      if (!isOmitted || value !== "") {
        out.constant(prefix);
        out.string(value as string);
      }
    },
    write(value, writer) {
      writer.string(value as string);
      writer.varint(tag);
    },
    read(reader, end, target) {
      const value = reader.text(end);
      if (value !== "") {
        target[name] = value;
      } else if (target[name] !== undefined) {
        delete target[name];
      }
    },
  };
}

const EMPTY = Buffer.alloc(0);
const nothing = (): undefined => undefined;

/** Absent and zero are the same: zero is always in protobuf, never in normal form. */
function valueField(field: FieldShape, codec: ValueCodec): FieldCodec {
  const { number, tag, name } = head(field, codec.wireType);
  const prefix = Buffer.from(`,"${name}":`);
  const isStruct = codec.body !== undefined;
  const isOmitted = field.omitZero || (field.omitEmpty && field.type !== "message");
  return {
    number,
    tag,
    name,
    fromJson(value, walk) {
      const normal = codec.fromJson(value, walk);
      return codec.isZero(normal) ? undefined : normal;
    },
    writeJson(value, out) {
      if (!isOmitted || !codec.isZero(value)) {
        out.constant(prefix);
        codec.writeJson(value, out);
      }
    },
    absentJson() {
      if (isOmitted) {
        return EMPTY;
      }
      const out = new JsonWriter();
      out.constant(prefix);
      codec.writeJson(codec.zero(), out);
      return out.finish();
    },
    write(value, writer) {
      codec.write(value, writer);
      writer.varint(tag);
    },
    absentBytes() {
      const writer = new WireWriter();
      codec.write(codec.zero(), writer);
      writer.varint(tag);
      return writer.finish();
    },
    read(reader, end, target) {
      const value = codec.read(reader, end, isStruct ? target[name] : undefined);
      if (!codec.isZero(value)) {
        target[name] = value;
      } else if (target[name] !== undefined) {
        delete target[name];
      }
    },
  };
}

/** A pointer upstream, or bytes: absence is kept apart from zero. */
function presentField(field: FieldShape, codec: ValueCodec): FieldCodec {
  const { number, tag, name } = head(field, codec.wireType);
  const prefix = Buffer.from(`,"${name}":`);
  const absent = field.omitEmpty || field.omitZero ? EMPTY : Buffer.from(`,"${name}":null`);
  const dropsEmpty = field.type === "bytes" && field.omitEmpty;
  const isStruct = codec.body !== undefined;
  return {
    number,
    tag,
    name,
    fromJson: (value, walk) => codec.fromJson(value, walk),
    writeJson(value, out) {
      if (!dropsEmpty || value !== "") {
        out.constant(prefix);
        codec.writeJson(value, out);
      }
    },
    absentJson: () => absent,
    write(value, writer) {
      codec.write(value, writer);
      writer.varint(tag);
    },
    absentBytes: nothing,
    read(reader, end, target) {
      target[name] = codec.read(reader, end, isStruct ? target[name] : undefined);
    },
  };
}

/** A submessage whose members stand in the parent's object. */
function inlinedField(field: FieldShape, codec: ValueCodec): FieldCodec {
  const { body } = codec;
  if (body === undefined || field.presence) {
    throw new Error(`field ${field.protoName}: only messages by value can be inlined`);
  }
  return {
    number: field.number,
    tag: field.number * 8 + 2,
    name: "",
    inlined: body,
    fromJson: nothing,
    writeJson: nothing,
    absentJson: () => EMPTY,
    write: nothing,
    absentBytes: nothing,
    read(reader, end, target) {
      const stop = reader.delimited(end);
      // Its members belong to the parent's path.
      reader.depth -= 1;
      body.read(reader, stop, target);
      reader.depth += 1;
    },
  };
}
