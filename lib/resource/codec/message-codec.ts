import type { FieldSchema, MessageSchema } from "../schema.ts";
import { choiceCodec } from "./choice-codecs.ts";
import { compileField, type FieldShape } from "./field-codecs.ts";
import { FORM_CODECS } from "./form-codecs.ts";
import type { JsonWalk } from "./json-walk.ts";
import { scalarCodec } from "./scalar-codecs.ts";
import type { FieldCodec, NormalObject, ObjectBody, ValueCodec } from "./value-codec.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

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
      return new ObjectCodec(schema);
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

/** Codec of a message whose JSON form is an object with its members. */
class ObjectCodec implements ValueCodec<NormalObject> {
  readonly wireType = 2;
  readonly #schema: MessageSchema;
  #compiled: Compiled | undefined;

  constructor(schema: MessageSchema) {
    this.#schema = schema;
  }

  get body(): ObjectBody {
    const { fields } = this.compiled;
    return {
      fields,
      read: (reader, end, target) => this.#readBody(reader, end, target),
      write: (object, writer) => this.#writeBody(object, writer),
    };
  }

  /** On first use, since messages may hold themselves. */
  get compiled(): Compiled {
    this.#compiled ??= compile(this.#schema);
    return this.#compiled;
  }

  fromJson(value: unknown, walk: JsonWalk): NormalObject {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw walk.wrongType("object", value);
    }
    const object = value as NormalObject;
    const { byJsonName } = this.compiled;
    const depth = walk.depth++;
    let dropped = false;
    for (const name in object) {
      walk.path[depth] = name;
      walk.members += 1;
      const field = byJsonName.get(name);
      const member = object[name];
      if (field === undefined) {
        walk.unknown();
        object[name] = undefined;
        dropped = true;
        continue;
      }
      const normal = member === null || member === undefined ? undefined : field.fromJson(member, walk);
      if (normal !== member) {
        object[name] = normal;
      }
      dropped ||= normal === undefined;
    }
    walk.depth = depth;
    return dropped ? withoutUndefined(object) : object;
  }

  toJson(object: NormalObject): string {
    const { jsonWriters } = this.compiled;
    let out = "";
    for (let index = 0; index < jsonWriters.length; index++) {
      const member = jsonWriters[index]!(object);
      if (member !== "") {
        out += out === "" ? member : `,${member}`;
      }
    }
    return `{${out}}`;
  }

  zero(): NormalObject {
    return {};
  }

  isZero(object: NormalObject): boolean {
    for (const _ in object) {
      return false;
    }
    return true;
  }

  write(object: NormalObject, writer: WireWriter): void {
    const before = writer.sizeBytes;
    this.#writeBody(object, writer);
    writer.varint(writer.sizeBytes - before);
  }

  #writeBody(object: NormalObject, writer: WireWriter): void {
    const { wireWriters } = this.compiled;
    for (let index = 0; index < wireWriters.length; index++) {
      wireWriters[index]!(object, writer);
    }
  }

  read(reader: WireReader, end: number, previous: unknown): NormalObject {
    const stop = reader.delimited(end);
    const target = (previous ?? {}) as NormalObject;
    this.#readBody(reader, stop, target);
    return target;
  }

  #readBody(reader: WireReader, end: number, target: NormalObject): void {
    const { byTag, byNumber } = this.compiled;
    const depth = reader.enter();
    while (reader.position < end) {
      const tag = reader.varint(end);
      const field = tag < byTag.length ? byTag[tag] : undefined;
      if (field !== undefined) {
        reader.path[depth] = field.name;
        field.read(reader, end, target);
        continue;
      }
      const other = byNumber.get(tag >>> 3);
      if (other?.readPacked !== undefined && (tag & 7) === 2) {
        reader.path[depth] = other.name;
        other.readPacked(reader, end, target);
        continue;
      }
      reader.path[depth] = other?.name ?? `#${tag >>> 3}`;
      if (other !== undefined || tag >>> 3 === 0) {
        throw reader.fail(other === undefined ? "bad protobuf field number" : "wrong protobuf wire type");
      }
      reader.skipUnknown(tag, end);
    }
    reader.depth = depth;
  }
}

function withoutUndefined(object: NormalObject): NormalObject {
  const out: NormalObject = {};
  for (const name in object) {
    const member = object[name];
    if (member !== undefined) {
      out[name] = member;
    }
  }
  return out;
}

/** The codec of a message, as fields with all that is looked up done. */
interface Compiled {
  readonly fields: readonly FieldCodec[];
  readonly byJsonName: ReadonlyMap<string, FieldCodec>;
  readonly jsonWriters: readonly FieldCodec["toJson"][];
  /** In descending order of field numbers, since protobuf is written backwards. */
  readonly wireWriters: readonly FieldCodec["write"][];
  readonly byTag: readonly (FieldCodec | undefined)[];
  readonly byNumber: ReadonlyMap<number, FieldCodec>;
}

const TYPE_META = ["kind", "apiVersion"];

function typeMetaField(name: string): FieldShape {
  return {
    number: 0,
    protoName: name,
    jsonName: name,
    type: "string",
    repeated: false,
    inlined: false,
    notInJson: false,
    presence: false,
    omitEmpty: true,
    omitZero: false,
  };
}

function compile(schema: MessageSchema): Compiled {
  const fields = schema.fields.map((field) => compileField(field, valueCodec(field)));
  const typeMeta = schema.isKind
    ? TYPE_META.map((name) => compileField(typeMetaField(name), scalarCodec("string")))
    : [];
  const inJson = [...typeMeta, ...fields.flatMap((field) => field.members ?? [field])].filter(
    (field) => field.name !== "",
  );
  const ascending = fields.toSorted((left, right) => left.number - right.number);
  const byTag: (FieldCodec | undefined)[] = [];
  for (const field of ascending) {
    byTag[field.tag] = field;
  }
  return {
    fields,
    byJsonName: new Map(inJson.map((field) => [field.name, field])),
    jsonWriters: inJson.map((field) => field.toJson),
    wireWriters: ascending.toReversed().map((field) => field.write),
    byTag: Array.from({ length: byTag.length }, (_, tag) => byTag[tag]),
    byNumber: new Map(ascending.map((field) => [field.number, field])),
  };
}

/**
 * A message whose only field is a list that stands for it in JSON (ExtraValue, Verbs). As the value of a map it may be
 * null, which is written as an empty list and read back as one.
 */
function listCodec(schema: MessageSchema): ValueCodec {
  const [field] = schema.fields;
  if (field === undefined) {
    throw new Error(`message ${schema.name} has no field`);
  }
  const list = compileField({ ...field, jsonName: "items", omitEmpty: false }, valueCodec(field));
  return {
    wireType: 2,
    fromJson: (value, walk) => list.fromJson(value, walk) ?? [],
    toJson(value) {
      const items = value as unknown[] | null;
      return items?.length === 0 ? "[]" : list.toJson({ items }).slice('"items":'.length);
    },
    zero: () => null,
    isZero: (value) => value === null,
    write(value, writer) {
      const before = writer.sizeBytes;
      list.write({ items: value }, writer);
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
      return target["items"] ?? [];
    },
  };
}
