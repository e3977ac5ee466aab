import { DecodeError } from "./decode-error.ts";
import type { JsonWalk } from "./json-walk.ts";
import {
  canonicalMicroTime,
  canonicalTime,
  formatMicroTimeText,
  formatTimeText,
  parseInstant,
  timeSeconds,
  ZERO_MICRO_TIME,
  ZERO_SECONDS,
  ZERO_TIME,
} from "./time-text.ts";
import type { ValueCodec } from "./value-codec.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/** What a parser of this folder threw, with the path. */
function withPath(walk: { fail(reason: string): DecodeError }, error: unknown): unknown {
  return error instanceof DecodeError ? walk.fail(error.message) : error;
}

function textOf(value: unknown, walk: JsonWalk, type: string): string {
  if (typeof value !== "string") {
    throw walk.wrongType(type, value);
  }
  return value;
}

/** Seconds and nanoseconds; none at all is the zero time. */
function readInstant(reader: WireReader, end: number): { seconds: number; nanos: number } {
  const stop = reader.delimited(end);
  let seconds = reader.position === stop ? ZERO_SECONDS : 0;
  let nanos = 0;
  while (reader.position < stop) {
    const tag = reader.varint(stop);
    if (tag === 0x08) {
      seconds = Number(reader.int64(stop));
    } else if (tag === 0x10) {
      nanos = reader.int32(stop);
    } else {
      reader.skip(tag & 7, stop);
    }
  }
  if (nanos < 0 || nanos >= 1_000_000_000) {
    throw reader.fail("time is out of range");
  }
  return { seconds, nanos };
}

function writeInstant(writer: WireWriter, seconds: number, nanos: number): void {
  const before = writer.sizeBytes;
  writer.varint(nanos);
  writer.varint(0x10);
  writer.int64(seconds);
  writer.varint(0x08);
  writer.varint(writer.sizeBytes - before);
}

export const time: ValueCodec<string> = {
  wireType: 2,
  fromJson(value, walk) {
    const text = textOf(value, walk, "Time");
    try {
      return canonicalTime(text);
    } catch (error) {
      throw withPath(walk, error);
    }
  },
  writeJson: (value, out) => (value === ZERO_TIME ? out.ascii("null") : out.string(value)),
  zero: () => ZERO_TIME,
  isZero: (value) => value === ZERO_TIME,
  write(value, writer) {
    if (value === ZERO_TIME) {
      writer.varint(0);
    } else {
      writeInstant(writer, timeSeconds(value), 0);
    }
  },
  read(reader, end) {
    const { seconds } = readInstant(reader, end);
    try {
      return formatTimeText(seconds);
    } catch (error) {
      throw withPath(reader, error);
    }
  },
};

export const microTime: ValueCodec<string> = {
  wireType: 2,
  fromJson: (value, walk) => {
    const text = textOf(value, walk, "MicroTime");
    try {
      return canonicalMicroTime(text);
    } catch (error) {
      throw withPath(walk, error);
    }
  },
  writeJson: (value, out) => (value === ZERO_MICRO_TIME ? out.ascii("null") : out.string(value)),
  zero: () => ZERO_MICRO_TIME,
  isZero: (value) => value === ZERO_MICRO_TIME,
  write(value, writer) {
    if (value === ZERO_MICRO_TIME) {
      writer.varint(0);
    } else {
      const { seconds, nanos } = parseInstant(value);
      writeInstant(writer, seconds, nanos);
    }
  },
  read(reader, end) {
    const { seconds, nanos } = readInstant(reader, end);
    try {
      return formatMicroTimeText(seconds, nanos);
    } catch (error) {
      throw withPath(reader, error);
    }
  },
};
