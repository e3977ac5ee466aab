import type { ScalarType } from "../schema.ts";
import { NumberLiteral } from "./json-text.ts";
import type { JsonWalk } from "./json-walk.ts";
import type { JsonWriter } from "./json-writer.ts";
import type { ValueCodec } from "./value-codec.ts";

type Int64 = number | bigint;

const string: ValueCodec<string> = {
  wireType: 2,
  fromJson(value, walk) {
    if (typeof value !== "string") {
      throw walk.wrongType("string", value);
    }
    return value;
  },
  writeJson: (value, out) => out.string(value),
  zero: () => "",
  isZero: (value) => value === "",
  write: (value, writer) => writer.string(value),
  read: (reader, end) => reader.text(end),
};

const bool: ValueCodec<boolean> = {
  wireType: 0,
  fromJson(value, walk) {
    if (typeof value !== "boolean") {
      throw walk.wrongType("bool", value);
    }
    return value;
  },
  writeJson: (value, out) => out.ascii(value ? "true" : "false"),
  zero: () => false,
  isZero: (value) => value === false,
  write(value, writer) {
    writer.varint(value ? 1 : 0);
  },
  read: (reader, end) => reader.bool(end),
};

function smallInteger(name: string, min: number, max: number): (value: unknown, walk: JsonWalk) => number {
  return (value, walk) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
      return value === 0 ? 0 : value;
    }
    throw typeof value === "number" || typeof value === "bigint" || value instanceof NumberLiteral
      ? walk.fail(`number is not a value of type ${name}`)
      : walk.wrongType(name, value);
  };
}

function largeInteger(name: string, min: bigint, max: bigint): (value: unknown, walk: JsonWalk) => Int64 {
  return (value, walk) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && (value >= 0 || min < 0n)) {
      return value === 0 ? 0 : value;
    }
    if (typeof value === "bigint" && value >= min && value <= max) {
      const small = Number(value);
      return Number.isSafeInteger(small) ? small : value;
    }
    throw typeof value === "number" || typeof value === "bigint" || value instanceof NumberLiteral
      ? walk.fail(`number is not a value of type ${name}`)
      : walk.wrongType(name, value);
  };
}

const integerParts = {
  wireType: 0,
  writeJson: (value: Int64, out: JsonWriter) => out.ascii(String(value)),
  zero: () => 0,
  isZero: (value: Int64) => value === 0,
} as const;

const int32: ValueCodec<number> = {
  ...integerParts,
  fromJson: smallInteger("int32", -0x8000_0000, 0x7fff_ffff),
  write: (value, writer) => writer.int64(value),
  read: (reader, end) => reader.int32(end),
};

const uint32: ValueCodec<number> = {
  ...integerParts,
  fromJson: smallInteger("uint32", 0, 0xffff_ffff),
  write: (value, writer) => writer.int64(value),
  read: (reader, end) => reader.int64Low(end),
};

const int64: ValueCodec<Int64> = {
  ...integerParts,
  fromJson: largeInteger("int64", -(2n ** 63n), 2n ** 63n - 1n),
  write: (value, writer) => writer.int64(value),
  read: (reader, end) => reader.int64(end),
};

const uint64: ValueCodec<Int64> = {
  ...integerParts,
  fromJson: largeInteger("uint64", 0n, 2n ** 64n - 1n),
  write: (value, writer) => writer.int64(value),
  read: (reader, end) => reader.uint64(end),
};

const double: ValueCodec<number> = {
  wireType: 1,
  fromJson(value, walk) {
    const number = value instanceof NumberLiteral ? value.value : typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isFinite(number)) {
      throw walk.wrongType("double", value);
    }
    return number;
  },
  writeJson: (value, out) => out.ascii(Object.is(value, -0) ? "-0" : JSON.stringify(value)),
  zero: () => 0,
  isZero: (value) => value === 0,
  write: (value, writer) => writer.double(value),
  read: (reader, end) => reader.double(end),
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function canonicalBase64(value: string, walk: JsonWalk): string {
  const text = /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, "") : value;
  if (!BASE64.test(text)) {
    throw walk.fail("not base64");
  }
  return text.endsWith("=") ? Buffer.from(text, "base64").toString("base64") : text;
}

/** `null` is a value of its own in maps only: written as a key alone, read back as empty. */
const bytes: ValueCodec<string | null> = {
  wireType: 2,
  fromJson(value, walk) {
    if (typeof value !== "string") {
      throw walk.wrongType("bytes", value);
    }
    return canonicalBase64(value, walk);
  },
  writeJson: (value, out) => out.json(value === null ? "null" : `"${value}"`),
  zero: () => null,
  isZero: (value) => value === null,
  write(value, writer) {
    const before = writer.sizeBytes;
    writer.base64(value ?? "");
    writer.varint(writer.sizeBytes - before);
  },
  read: (reader, end) => reader.base64(end),
};

const SCALARS = { string, bool, int32, int64, uint32, uint64, double, bytes };

export function scalarCodec(type: ScalarType): ValueCodec {
  return SCALARS[type] as ValueCodec;
}
