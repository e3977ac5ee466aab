import type { MessageSchema } from "../schema.ts";
import { compileField, type FieldShape } from "./field-codecs.ts";
import type { JsonWalk } from "./json-walk.ts";
import { scalarCodec } from "./scalar-codecs.ts";
import type { FieldCodec, NormalObject, ObjectBody, ValueCodec } from "./value-codec.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/** Makes the codec of a field's values. */
export type ValueCodecOf = (field: MessageSchema["fields"][number]) => ValueCodec;

/**
 * Codec of a message whose JSON form is an object with its members. An object is spread over the slots of its schema first
 * (one lookup per member that is there), so that the fields, mostly absent ones, are then passed by index.
 */
export class ObjectCodec implements ValueCodec<NormalObject> {
  readonly wireType = 2;
  readonly body: ObjectBody;
  readonly #schema: MessageSchema;
  readonly #codecOf: ValueCodecOf;
  #compiled: Compiled | undefined;

  constructor(schema: MessageSchema, codecOf: ValueCodecOf) {
    this.#schema = schema;
    this.#codecOf = codecOf;
    const compiled = (): Compiled => this.#ready();
    this.body = {
      get fields() {
        return compiled().fields;
      },
      read: (reader, end, target) => this.#readBody(reader, end, target),
      write: (object, writer) => this.#writeBody(object, writer),
    };
  }

  /** On first use, since messages may hold themselves. */
  #ready(): Compiled {
    this.#compiled ??= compile(this.#schema, this.#codecOf);
    return this.#compiled;
  }

  fromJson(value: unknown, walk: JsonWalk): NormalObject {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw walk.wrongType("object", value);
    }
    const object = value as NormalObject;
    const { slots, slotByName } = this.#ready();
    const depth = walk.depth++;
    let dropped = false;
    for (const name in object) {
      walk.path[depth] = name;
      walk.members += 1;
      const slot = slotByName.get(name);
      const member = object[name];
      if (slot === undefined) {
        walk.unknown();
        object[name] = undefined;
        dropped = true;
        continue;
      }
      const normal = member === null || member === undefined ? undefined : slots[slot]!.fromJson(member, walk);
      if (normal !== member) {
        object[name] = normal;
      }
      dropped ||= normal === undefined;
    }
    walk.depth = depth;
    return dropped ? withoutUndefined(object) : object;
  }

  toJson(object: NormalObject): string {
    const { slots, slotByName, absentJson } = this.#ready();
    const values = spread(object, slotByName, slots.length);
    let out = "";
    for (let slot = 0; slot < slots.length; slot++) {
      const value = values[slot];
      const member = value === undefined || value === null ? absentJson[slot]! : slots[slot]!.toJson(value);
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
    const { slots, slotByName, wireSteps } = this.#ready();
    const values = spread(object, slotByName, slots.length);
    const ends: number[] = [];
    for (let index = 0; index < wireSteps.length; index++) {
      const step = wireSteps[index]!;
      if (step.kind === "field") {
        const value = values[step.slot];
        if (value !== undefined && value !== null) {
          step.field.write(value, writer);
        } else if (step.absent !== undefined) {
          writer.bytes(step.absent);
        }
      } else if (step.kind === "end") {
        ends.push(writer.sizeBytes);
      } else {
        writer.varint(writer.sizeBytes - ends.pop()!);
        writer.varint(step.tag);
      }
    }
  }

  read(reader: WireReader, end: number, previous: unknown): NormalObject {
    const stop = reader.delimited(end);
    const target = (previous ?? {}) as NormalObject;
    this.#readBody(reader, stop, target);
    return target;
  }

  #readBody(reader: WireReader, end: number, target: NormalObject): void {
    const { byTag } = this.#ready();
    const depth = reader.enter();
    while (reader.position < end) {
      const tag = reader.varint(end);
      const field = tag < byTag.length ? byTag[tag] : undefined;
      if (field !== undefined) {
        reader.path[depth] = field.name;
        field.read(reader, end, target);
      } else {
        this.#readOther(tag, reader, end, target);
      }
    }
    reader.depth = depth;
  }

  /** A field that is not known, or not in this wire type. */
  #readOther(tag: number, reader: WireReader, end: number, target: NormalObject): void {
    const field = this.#ready().byNumber.get(tag >>> 3);
    reader.path[reader.depth - 1] = field?.name ?? `#${tag >>> 3}`;
    if (field?.readPacked !== undefined && (tag & 7) === 2) {
      field.readPacked(reader, end, target);
    } else if (field !== undefined || tag >>> 3 === 0) {
      throw reader.fail(field === undefined ? "bad protobuf field number" : "wrong protobuf wire type");
    } else {
      reader.skipUnknown(tag, end);
    }
  }
}

function spread(object: NormalObject, slotByName: ReadonlyMap<string, number>, count: number): unknown[] {
  const values = new Array<unknown>(count);
  for (const name in object) {
    const slot = slotByName.get(name);
    if (slot !== undefined) {
      values[slot] = object[name];
    }
  }
  return values;
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

/** One step of writing, backwards: a field, or the end or the beginning of an inlined message. */
type WireStep =
  | {
      readonly kind: "field";
      readonly slot: number;
      readonly field: FieldCodec;
      readonly absent: Uint8Array | undefined;
    }
  | { readonly kind: "end" }
  | { readonly kind: "begin"; readonly tag: number };

interface Compiled {
  readonly fields: readonly FieldCodec[];
  /** The members of the JSON object in order, those of inlined messages in place. */
  readonly slots: readonly FieldCodec[];
  readonly slotByName: ReadonlyMap<string, number>;
  /** By slot: the text of the absent member. */
  readonly absentJson: readonly string[];
  readonly wireSteps: readonly WireStep[];
  readonly byTag: readonly (FieldCodec | undefined)[];
  readonly byNumber: ReadonlyMap<number, FieldCodec>;
}

function compile(schema: MessageSchema, codecOf: ValueCodecOf): Compiled {
  const fields = schema.fields.map((field) => compileField(field, codecOf(field)));
  const typeMeta = schema.isKind ? ["kind", "apiVersion"].map(typeMetaField) : [];
  const slots = [...typeMeta, ...members(fields)];
  const slotByName = new Map(slots.map((field, slot) => [field.name, slot]));
  const byTag: (FieldCodec | undefined)[] = [];
  for (const field of fields) {
    byTag[field.tag] = field;
  }
  return {
    fields,
    slots,
    slotByName,
    absentJson: slots.map((field) => field.absentJson()),
    wireSteps: wireSteps(fields, new Map(slots.map((field, slot) => [field, slot]))),
    byTag: Array.from({ length: byTag.length }, (_, tag) => byTag[tag]),
    byNumber: new Map(fields.map((field) => [field.number, field])),
  };
}

function members(fields: readonly FieldCodec[]): FieldCodec[] {
  return fields
    .flatMap((field) => (field.inlined === undefined ? [field] : members(field.inlined.fields)))
    .filter((field) => field.name !== "");
}

function wireSteps(fields: readonly FieldCodec[], slotOf: ReadonlyMap<FieldCodec, number>): WireStep[] {
  return fields
    .toSorted((left, right) => right.number - left.number)
    .flatMap((field): WireStep[] => {
      if (field.inlined !== undefined) {
        return [{ kind: "end" }, ...wireSteps(field.inlined.fields, slotOf), { kind: "begin", tag: field.tag }];
      }
      return [{ kind: "field", slot: slotOf.get(field) ?? -1, field, absent: field.absentBytes() }];
    });
}

function typeMetaField(name: string): FieldCodec {
  const field: FieldShape = {
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
  return compileField(field, scalarCodec("string"));
}
