import type { MessageSchema } from "../schema.ts";
import { compileField } from "./field-codecs.ts";
import type { FieldShape } from "./field-shape.ts";
import type { JsonWalk } from "./json-walk.ts";
import type { JsonWriter } from "./json-writer.ts";
import { scalarCodec } from "./scalar-codecs.ts";
import { SlotNames } from "./slot-names.ts";
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
    const { slots, names } = this.#ready();
    const depth = walk.depth++;
    let dropped = false;
    let previous = -1;
    for (const name in object) {
      walk.path[depth] = name;
      walk.members += 1;
      const slot = names.slotOf(name, previous);
      const member = object[name];
      if (slot < 0) {
        walk.unknown();
        object[name] = undefined;
        dropped = true;
        continue;
      }
      previous = slot;
      const normal = member === null || member === undefined ? undefined : slots[slot]!.fromJson(member, walk);
      if (normal !== member) {
        object[name] = normal;
      }
      dropped ||= normal === undefined;
    }
    walk.depth = depth;
    return dropped ? withoutUndefined(object) : object;
  }

  writeJson(object: NormalObject, out: JsonWriter): void {
    const { slots, names, absentJson, replaced } = this.#ready();
    const { values } = out.slots;
    const base = out.slots.push(object, names);
    const isReplaced = replaced?.by.some((slot) => values[base + slot] !== undefined) === true;
    const { bytes, ends } = isReplaced ? replaced.absentJson : absentJson;
    const start = out.position;
    let from = 0;
    for (let slot = 0; slot < slots.length; slot++) {
      const value = values[base + slot];
      if (value !== undefined) {
        const to = slot === 0 ? 0 : ends[slot - 1]!;
        out.part(bytes, from, to);
        slots[slot]!.writeJson(value, out);
        from = ends[slot]!;
      }
    }
    out.part(bytes, from, bytes.length);
    out.enclose(start, 0x7b, 0x7d);
    out.slots.pop(base);
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
    const { names, wireSteps, slotOfStep, absentWire } = this.#ready();
    const { values } = writer.slots;
    const base = writer.slots.push(object, names);
    const { bytes, ends } = absentWire;
    let to = bytes.length;
    for (let step = 0; step < wireSteps.length; step++) {
      const value = values[base + slotOfStep[step]!];
      if (value !== undefined) {
        const from = step === 0 ? bytes.length : bytes.length - ends[step - 1]!;
        writer.part(bytes, from, to);
        wireSteps[step]!.write(value, writer);
        to = bytes.length - ends[step]!;
      }
    }
    writer.part(bytes, 0, to);
    writer.slots.pop(base);
  }

  read(reader: WireReader, end: number, previous: unknown): NormalObject {
    const stop = reader.delimited(end);
    const target = (previous ?? {}) as NormalObject;
    this.#readBody(reader, stop, target);
    return target;
  }

  #readBody(reader: WireReader, end: number, target: NormalObject): void {
    const { byTag } = this.#ready();
    const { bytes, path } = reader;
    const depth = reader.enter();
    while (reader.position < end) {
      let tag = bytes[reader.position]!;
      if (tag < 0x80) {
        reader.position += 1;
      } else {
        tag = reader.varint(end);
      }
      const field = tag < byTag.length ? byTag[tag] : undefined;
      if (field !== undefined) {
        path[depth] = field.name;
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

/** What a field is written by; also the marks at both ends of an inlined message. */
type WireStep = Pick<FieldCodec, "write" | "absentBytes">;

/** What stands for absent fields, all in a row; a run of them is a part of it. */
interface Absent {
  readonly bytes: Uint8Array;
  /** By slot or step: bytes of all up to and with this one, from where writing begins. */
  readonly ends: readonly number[];
}

interface Compiled {
  readonly fields: readonly FieldCodec[];
  /** The members of the JSON object in order, those of inlined messages in place. */
  readonly slots: readonly FieldCodec[];
  readonly names: SlotNames;
  readonly absentJson: Absent;
  /** What holds instead where a member of these slots is there (`omitBeside`). */
  readonly replaced: { readonly by: readonly number[]; readonly absentJson: Absent } | undefined;
  /** In descending order of numbers, since protobuf is written backwards. */
  readonly wireSteps: readonly WireStep[];
  readonly slotOfStep: readonly number[];
  readonly absentWire: Absent;
  readonly byTag: readonly (FieldCodec | undefined)[];
  readonly byNumber: ReadonlyMap<number, FieldCodec>;
}

function compile(schema: MessageSchema, codecOf: ValueCodecOf): Compiled {
  const fields = schema.fields.map((field) => compileField(field, codecOf(field)));
  const typeMeta = schema.isKind ? ["kind", "apiVersion"].map(typeMetaField) : [];
  const slots = [...typeMeta, ...members(fields)];
  const steps = wireSteps(fields);
  const slotOf = new Map<WireStep, number>(slots.map((field, slot) => [field, slot]));
  const byTag: (FieldCodec | undefined)[] = [];
  for (const field of fields) {
    byTag[field.tag] = field;
  }
  const wireParts = steps.map((step) => step.absentBytes() ?? Buffer.alloc(0));
  return {
    fields,
    slots,
    names: new SlotNames(slots.map((field) => field.name)),
    absentJson: absentMembers(slots, undefined),
    replaced: replacedBy(schema, slots),
    wireSteps: steps,
    slotOfStep: steps.map((step) => slotOf.get(step) ?? slots.length),
    absentWire: absent(wireParts, (parts) => parts.toReversed()),
    byTag: Array.from({ length: byTag.length }, (_, tag) => byTag[tag]),
    byNumber: new Map(fields.map((field) => [field.number, field])),
  };
}

function absentMembers(slots: readonly FieldCodec[], leftOut: string | undefined): Absent {
  const parts = slots.map((field) => (field.name === leftOut ? new Uint8Array() : field.absentJson()));
  return absent(parts, (inOrder) => inOrder);
}

function replacedBy(schema: MessageSchema, slots: readonly FieldCodec[]): Compiled["replaced"] {
  const { jsonName, omitBeside } = schema.fields.find((field) => field.omitBeside !== undefined) ?? {};
  if (omitBeside === undefined) return undefined;
  const by = slots.flatMap(({ name }, slot) => (omitBeside.includes(name) ? [slot] : []));
  return { by, absentJson: absentMembers(slots, jsonName) };
}

function absent(
  parts: readonly Uint8Array[],
  arranged: (parts: readonly Uint8Array[]) => readonly Uint8Array[],
): Absent {
  const ends: number[] = [];
  let end = 0;
  for (const part of parts) {
    end += part.length;
    ends.push(end);
  }
  return { bytes: new Uint8Array(Buffer.concat(arranged(parts))), ends };
}

function members(fields: readonly FieldCodec[]): FieldCodec[] {
  return fields
    .flatMap((field) => (field.inlined === undefined ? [field] : members(field.inlined.fields)))
    .filter((field) => field.name !== "");
}

function wireSteps(fields: readonly FieldCodec[]): WireStep[] {
  return fields
    .toSorted((left, right) => right.number - left.number)
    .flatMap((field): WireStep[] => {
      if (field.inlined === undefined) {
        return [field];
      }
      return [
        mark((writer) => writer.endInlined()),
        ...wireSteps(field.inlined.fields),
        mark((writer) => writer.beginInlined(field.tag)),
      ];
    });
}

function mark(write: (writer: WireWriter) => void): WireStep {
  return { write: (_value, writer) => write(writer), absentBytes: () => undefined };
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
