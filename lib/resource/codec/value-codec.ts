import type { JsonWalk } from "./json-walk.ts";
import type { JsonWriter } from "./json-writer.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/** Varint, 64 bits, length-delimited: the wire types that these messages use. */
export type WireType = 0 | 1 | 2;

/** An object in normal form, or one that is read into it. */
export type NormalObject = Record<string, unknown>;

/** One field of a message, compiled: closures over its names, numbers and its value's codec. */
export interface FieldCodec {
  readonly number: number;
  readonly tag: number;
  /** JSON name; empty where JSON has none. */
  readonly name: string;
  /** What an inlined field holds; its members stand in the parent's JSON. */
  readonly inlined?: ObjectBody;
  /** Normal form of a JSON value that is not null; undefined when the field is to be absent. */
  fromJson(value: unknown, walk: JsonWalk): unknown;
  /** Writes `,"name":value`, or nothing, of a value that is not null. */
  writeJson(value: unknown, out: JsonWriter): void;
  /** `,"name":value`, or nothing, of the absent field. */
  absentJson(): Uint8Array;
  /** Writes a value that is not null, and its tag. */
  write(value: unknown, writer: WireWriter): void;
  /** What stands for the absent field, with its tag. */
  absentBytes(): Uint8Array | undefined;
  read(reader: WireReader, end: number, target: NormalObject): void;
  /** A list of numbers in one piece: read, never written. */
  readPacked?(reader: WireReader, end: number, target: NormalObject): void;
}

/** What inlining and the root need of a message whose JSON form is an object. */
export interface ObjectBody {
  readonly fields: readonly FieldCodec[];
  read(reader: WireReader, end: number, target: NormalObject): void;
  /** Without length. */
  write(object: NormalObject, writer: WireWriter): void;
}

/** All that is to be known of the values of one type; fields, lists and maps are built of it. */
export interface ValueCodec<T = unknown> {
  readonly wireType: WireType;
  /** From a JSON value, never null, to normal form. May change `value` in place. */
  fromJson(value: unknown, walk: JsonWalk): T;
  /** Writes the JSON text of a value in normal form. */
  writeJson(value: T, out: JsonWriter): void;
  zero(): T;
  isZero(value: T): boolean;
  /** Writes the value, with its length if it is delimited, without its tag. */
  write(value: T, writer: WireWriter): void;
  /** Reads a value before `end`; a message that comes twice is merged into `previous`. */
  read(reader: WireReader, end: number, previous: unknown): T;
  /** Of messages whose JSON form is an object with their members. */
  readonly body?: ObjectBody;
}
