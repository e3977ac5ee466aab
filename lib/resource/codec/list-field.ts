import { type FieldShape, head } from "./field-shape.ts";
import type { JsonWalk } from "./json-walk.ts";
import type { JsonWriter } from "./json-writer.ts";
import type { FieldCodec, NormalObject, ValueCodec } from "./value-codec.ts";
import type { WireReader } from "./wire-reader.ts";

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** A list; empty and absent are the same. */
export function listField(field: FieldShape, codec: ValueCodec): FieldCodec {
  const { number, tag, name } = head(field, codec.wireType);
  const prefix = Buffer.from(`,"${name}":`);
  const absent = field.omitEmpty ? Buffer.alloc(0) : Buffer.from(`,"${name}":null`);
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
    absentBytes: () => undefined,
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
