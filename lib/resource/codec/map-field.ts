import { type FieldShape, head } from "./field-shape.ts";
import type { JsonWalk } from "./json-walk.ts";
import { sortedKeys, UserMap } from "./user-map.ts";
import type { FieldCodec, NormalObject, ValueCodec } from "./value-codec.ts";
import type { WireReader } from "./wire-reader.ts";

const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** A map with string keys; empty and absent are the same. */
export function mapField(field: FieldShape, codec: ValueCodec): FieldCodec {
  const { number, tag, name } = head(field, 2);
  if (field.mapKey !== "string") {
    throw new Error(`map ${field.protoName}: only string keys have a JSON form here`);
  }
  const prefix = Buffer.from(`,"${name}":`);
  const absent = field.omitEmpty ? Buffer.alloc(0) : Buffer.from(`,"${name}":null`);
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
    absentBytes: () => undefined,
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
