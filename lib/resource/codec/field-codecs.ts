import type { FieldSchema } from "../schema.ts";
import type { JsonWalk } from "./json-walk.ts";
import { JsonWriter } from "./json-writer.ts";
import { sortedKeys, UserMap } from "./user-map.ts";
import type { FieldCodec, NormalObject, ValueCodec } from "./value-codec.ts";
import type { WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

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

function head(field: FieldShape, wireType: number): { number: number; tag: number; name: string } {
  return { number: field.number, tag: field.number * 8 + wireType, name: field.notInJson ? "" : field.jsonName };
}

const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

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

function listField(field: FieldShape, codec: ValueCodec): FieldCodec {
  const { number, tag, name } = head(field, codec.wireType);
  const prefix = Buffer.from(`,"${name}":`);
  const absent = field.omitEmpty ? EMPTY : Buffer.from(`,"${name}":null`);
  const push = (reader: WireReader, end: number, target: NormalObject): void => {
    reader.countElement();
    const list = target[name] as unknown[] | undefined;
    reader.path[reader.depth++] = list?.length ?? 0;
    const value = codec.read(reader, end, undefined);
    reader.depth -= 1;
    if (list === undefined) {
      target[name] = [value];
    } else {
      list.push(value);
    }
  };
  const common: FieldCodec = {
    number,
    tag,
    name,
    fromJson: (value, walk) => listFromJson(value, walk, codec),
    writeJson(value, out) {
      const list = value as unknown[];
      if (list.length === 0) {
        out.constant(absent);
      } else {
        out.constant(prefix);
        writeJsonList(list, codec, out);
      }
    },
    absentJson: () => absent,
    write(value, writer) {
      const list = value as unknown[];
      for (let index = list.length - 1; index >= 0; index--) {
        codec.write(list[index], writer);
        writer.varint(tag);
      }
    },
    absentBytes: nothing,
    read: push,
  };
  return codec.wireType === 2 ? common : { ...common, readPacked: packed(push) };
}

/** A JSON list of values in normal form. */
export function writeJsonList(list: readonly unknown[], codec: ValueCodec, out: JsonWriter): void {
  const start = out.position;
  for (let index = 0; index < list.length; index++) {
    out.comma();
    codec.writeJson(list[index], out);
  }
  out.enclose(start, OPEN_BRACKET, CLOSE_BRACKET);
}

function packed(push: FieldCodec["read"]): FieldCodec["read"] {
  return (reader, end, target) => {
    const stop = reader.delimited(end);
    while (reader.position < stop) {
      push(reader, stop, target);
    }
  };
}

function listFromJson(value: unknown, walk: JsonWalk, codec: ValueCodec): unknown[] | undefined {
  if (!Array.isArray(value)) {
    throw walk.wrongType("array", value);
  }
  const list: unknown[] = value;
  if (list.length === 0) {
    return undefined;
  }
  walk.countElements(list.length);
  const depth = walk.depth++;
  for (let index = 0; index < list.length; index++) {
    walk.path[depth] = index;
    const item = list[index];
    const normal = item === null || item === undefined ? codec.zero() : codec.fromJson(item, walk);
    if (normal !== item) {
      list[index] = normal;
    }
  }
  walk.depth = depth;
  return list;
}

function mapField(field: FieldShape, codec: ValueCodec): FieldCodec {
  const { number, tag, name } = head(field, 2);
  if (field.mapKey !== "string") {
    throw new Error(`map ${field.protoName}: only string keys have a JSON form here`);
  }
  const prefix = Buffer.from(`,"${name}":`);
  const absent = field.omitEmpty ? EMPTY : Buffer.from(`,"${name}":null`);
  const valueTag = 0x10 + codec.wireType;
  const isMessage = field.type === "message";
  return {
    number,
    tag,
    name,
    fromJson: (value, walk) => mapFromJson(value, walk, codec),
    writeJson(value, out) {
      const map = value as NormalObject;
      const keys = sortedKeys(map);
      if (keys.length === 0) {
        out.constant(absent);
        return;
      }
      out.constant(prefix);
      const start = out.position;
      for (const key of keys) {
        out.comma();
        out.string(key);
        out.byte(COLON);
        codec.writeJson(map[key], out);
      }
      out.enclose(start, OPEN_BRACE, CLOSE_BRACE);
    },
    absentJson: () => absent,
    write(value, writer) {
      const map = value as NormalObject;
      const keys = sortedKeys(map);
      for (let index = keys.length - 1; index >= 0; index--) {
        const before = writer.sizeBytes;
        const key = keys[index]!;
        const item = map[key];
        // Bytes that are null have no value on the wire.
        if (item !== null || isMessage) {
          codec.write(item, writer);
          writer.varint(valueTag);
        }
        writer.string(key);
        writer.varint(0x0a);
        writer.varint(writer.sizeBytes - before);
        writer.varint(tag);
      }
    },
    absentBytes: nothing,
    read(reader, end, target) {
      reader.countElement();
      const map = (target[name] ?? new UserMap<unknown>()) as NormalObject;
      target[name] = map;
      readEntry(reader, end, map, codec, valueTag);
    },
  };
}

function mapFromJson(value: unknown, walk: JsonWalk, codec: ValueCodec): NormalObject | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw walk.wrongType("map", value);
  }
  const source = value as NormalObject;
  const map = new UserMap<unknown>();
  const depth = walk.depth++;
  let count = 0;
  for (const key in source) {
    walk.path[depth] = key;
    count += 1;
    const item = source[key];
    map[key] = item === null || item === undefined ? codec.zero() : codec.fromJson(item, walk);
  }
  walk.depth = depth;
  walk.members += count;
  walk.countElements(count);
  return count === 0 ? undefined : map;
}

function readEntry(reader: WireReader, end: number, map: NormalObject, codec: ValueCodec, valueTag: number): void {
  const stop = reader.delimited(end);
  let key = "";
  let value: unknown;
  while (reader.position < stop) {
    const tag = reader.varint(stop);
    if (tag === 0x0a) {
      key = reader.text(stop);
    } else if (tag === valueTag) {
      value = codec.read(reader, stop, value);
    } else if (tag >>> 3 === 1 || tag >>> 3 === 2) {
      throw reader.fail("wrong protobuf wire type");
    } else {
      reader.skip(tag & 7, stop);
    }
  }
  map[key] = value ?? codec.zero() ?? "";
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
