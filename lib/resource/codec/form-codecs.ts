import { isUtf8 } from "node:buffer";
import { canonicalQuantity, QuantityError } from "../../core/quantity.ts";
import { DecodeError } from "./decode-error.ts";
import { formatDuration, parseDuration } from "./duration-text.ts";
import { compactJson } from "./json-string.ts";
import { NumberLiteral } from "./json-text.ts";
import type { JsonWalk } from "./json-walk.ts";
import { RawJson } from "./raw-json.ts";
import { scalarCodec } from "./scalar-codecs.ts";
import { microTime, time } from "./time-codecs.ts";
import type { ValueCodec } from "./value-codec.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/** What a parser of core or of this folder threw, with the path. */
function withPath(walk: { fail(reason: string): DecodeError }, error: unknown): unknown {
  return error instanceof QuantityError || error instanceof DecodeError ? walk.fail(error.message) : error;
}

function located<T>(walk: { fail(reason: string): DecodeError }, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw withPath(walk, error);
  }
}

function textOf(value: unknown, walk: JsonWalk, type: string): string {
  if (typeof value !== "string") {
    throw walk.wrongType(type, value);
  }
  return value;
}

/** Calls `field` for each field of a message before `end`; fields that it does not take are passed over. */
function readFields(reader: WireReader, end: number, field: (tag: number, stop: number) => boolean): void {
  const stop = reader.delimited(end);
  while (reader.position < stop) {
    const tag = reader.varint(stop);
    if (!field(tag, stop)) {
      reader.skip(tag & 7, stop);
    }
  }
}

/** Writes what `body` writes, and its length before it. */
function delimited(writer: WireWriter, body: () => void): void {
  const before = writer.sizeBytes;
  body();
  writer.varint(writer.sizeBytes - before);
}

const duration: ValueCodec<string> = {
  wireType: 2,
  fromJson: (value, walk) => {
    const text = textOf(value, walk, "Duration");
    return located(walk, () => formatDuration(parseDuration(text)));
  },
  writeJson: (value, out) => out.string(value),
  zero: () => "0s",
  isZero: (value) => value === "0s",
  write(value, writer) {
    delimited(writer, () => {
      writer.int64(parseDuration(value));
      writer.varint(0x08);
    });
  },
  read(reader, end) {
    let nanos = 0n;
    readFields(reader, end, (tag, stop) => {
      if (tag !== 0x08) {
        return false;
      }
      nanos = BigInt(reader.int64(stop));
      return true;
    });
    return formatDuration(nanos);
  },
};

const quantity: ValueCodec<string> = {
  wireType: 2,
  fromJson(value, walk) {
    const number = value instanceof NumberLiteral ? value.source : value;
    if (typeof number !== "string" && typeof number !== "number" && typeof number !== "bigint") {
      throw walk.wrongType("Quantity", value);
    }
    const text = String(number).trim();
    return located(walk, () => canonicalQuantity(text));
  },
  writeJson: (value, out) => out.string(value),
  zero: () => "0",
  isZero: (value) => value === "0",
  write(value, writer) {
    delimited(writer, () => {
      writer.string(value);
      writer.varint(0x0a);
    });
  },
  read(reader, end) {
    let text = "0";
    readFields(reader, end, (tag, stop) => {
      if (tag !== 0x0a) {
        return false;
      }
      text = reader.text(stop);
      return true;
    });
    return located(reader, () => canonicalQuantity(text));
  },
};

const int32 = scalarCodec("int32") as ValueCodec<number>;

const intOrString: ValueCodec<number | string> = {
  wireType: 2,
  fromJson: (value, walk) => (typeof value === "string" ? value : int32.fromJson(value, walk)),
  writeJson: (value, out) => (typeof value === "string" ? out.string(value) : out.ascii(String(value))),
  zero: () => 0,
  isZero: (value) => value === 0,
  write(value, writer) {
    delimited(writer, () => {
      writer.string(typeof value === "string" ? value : "");
      writer.varint(0x1a);
      writer.int64(typeof value === "string" ? 0 : value);
      writer.varint(0x10);
      writer.varint(typeof value === "string" ? 1 : 0);
      writer.varint(0x08);
    });
  },
  read(reader, end) {
    let type: number | bigint = 0;
    let number = 0;
    let text = "";
    readFields(reader, end, (tag, stop) => {
      if (tag === 0x08) {
        type = reader.int64(stop);
      } else if (tag === 0x10) {
        number = reader.int32(stop);
      } else if (tag === 0x1a) {
        text = reader.text(stop);
      } else {
        return false;
      }
      return true;
    });
    return type === 0 ? number : text;
  },
};

function rawFromJson(value: unknown, walk: JsonWalk): RawJson {
  if (value instanceof RawJson) {
    return value;
  }
  const source = walk.rawSource();
  return source === undefined ? RawJson.from(value) : new RawJson(source);
}

function readRaw(reader: WireReader, end: number): RawJson {
  let raw = RawJson.null;
  readFields(reader, end, (tag, stop) => {
    if (tag !== 0x0a) {
      return false;
    }
    const part = reader.delimited(stop);
    raw = checkedRaw(reader, reader.bytes.subarray(reader.position, part));
    reader.position = part;
    return true;
  });
  return raw;
}

function checkedRaw(reader: WireReader, bytes: Buffer): RawJson {
  if (bytes.length === 0) {
    return RawJson.null;
  }
  if (!isUtf8(bytes)) {
    throw reader.fail("invalid UTF-8");
  }
  const text = bytes.toString("utf8");
  try {
    JSON.parse(text);
  } catch {
    throw reader.fail("raw value is not JSON");
  }
  return new RawJson(text);
}

const raw: ValueCodec<RawJson> = {
  wireType: 2,
  fromJson: rawFromJson,
  writeJson: (value, out) => out.json(compactJson(value.text)),
  zero: () => RawJson.null,
  isZero: (value) => value.isNull,
  write(value, writer) {
    delimited(writer, () => {
      if (!value.isNull) {
        writer.string(value.text);
        writer.varint(0x0a);
      }
    });
  },
  read: readRaw,
};

export const FORM_CODECS = {
  time,
  "micro-time": microTime,
  duration,
  quantity,
  "int-or-string": intOrString,
  raw,
  "raw-object": raw,
};
