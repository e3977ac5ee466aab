import type { Default, Field, Message } from "../gen/keelson/v1/annotations.ts";
import { Kind } from "../gen/keelson/v1/annotations.ts";
import type { FieldDescriptor, FileDescriptor, MessageDescriptor } from "./registry-descriptors.ts";
import type {
  DefaultRule,
  DefaultValue,
  FieldDefault,
  FieldSchema,
  MessageForm,
  MessageSchema,
  ScalarType,
} from "./schema.ts";

export interface MessageEntry {
  readonly descriptor: MessageDescriptor;
  /** Built when first asked, then kept. */
  readonly schema: () => MessageSchema;
}

/** Finds a message by its full name; throws when there is none. */
export type FindMessage = (name: string) => MessageEntry;

/** `FieldDescriptorProto.Type` of what kinds may use; upstream's API conventions allow no other numbers. */
const scalarTypes: ReadonlyMap<number, ScalarType> = new Map([
  [1, "double"],
  [3, "int64"],
  [4, "uint64"],
  [5, "int32"],
  [8, "bool"],
  [9, "string"],
  [12, "bytes"],
  [13, "uint32"],
]);
const messageType = 11;

const forms: ReadonlySet<string> = new Set<MessageForm>([
  "object",
  "time",
  "micro-time",
  "duration",
  "quantity",
  "int-or-string",
  "raw",
  "raw-object",
  "array",
  "schema-or-bool",
  "schema-or-array",
  "schema-or-string-array",
]);

/** What annotations leave unsaid gets its common value here; throws on annotations that contradict the message. */
export function buildMessageSchema(descriptor: MessageDescriptor, find: FindMessage): MessageSchema {
  const options: Partial<Message> = descriptor.options ?? {};
  const form = options.form || "object";
  if (!forms.has(form)) throw new Error(`${descriptor.name}: unknown form ${form}`);
  return {
    name: descriptor.name,
    form: form as MessageForm,
    fields: descriptor.fields.map((field) => buildFieldSchema(field, descriptor, find)),
    isKind: descriptor.resource !== undefined || descriptor.kind !== Kind.KIND_UNSPECIFIED,
    atomic: options.atomic ?? false,
    defaults: (options.defaults ?? []).map((rule): DefaultRule => {
      if (rule.default === undefined) throw new Error(`${descriptor.name}: the default of ${rule.path} has no value`);
      return { path: rule.path, ...buildDefault(rule.default) };
    }),
    defaultHooks: options.defaultHooks ?? [],
    description: descriptor.comment,
  };
}

function buildFieldSchema(field: FieldDescriptor, parent: MessageDescriptor, find: FindMessage): FieldSchema {
  const options: Partial<Field> = field.options ?? {};
  const value = valueType(field, parent, find);
  const inlined = options.inline ?? false;
  const required = options.required ?? false;
  const target = value.type === "message" ? find(field.typeName).descriptor : undefined;
  const isSingularMessage = target !== undefined && !value.repeated && value.mapKey === undefined;
  return {
    number: field.number,
    protoName: field.name,
    jsonName: inlined ? "" : field.jsonName,
    ...value,
    inlined,
    notInJson: false,
    presence: !inlined && (options.presence ?? (isSingularMessage && target.options?.presence !== false)),
    omitEmpty: options.omitEmpty ?? !required,
    omitZero: options.omitZero ?? false,
    required,
    optional: !required,
    nullable: options.nullable ?? false,
    ...mergeBehaviour(options, field),
    immutable: options.immutable ?? false,
    ...valueRules(options, parent),
    nonEmpty: options.nonEmpty ?? false,
    format: options.format ?? "",
    ...(options.omitBeside?.length ? { omitBeside: options.omitBeside } : {}),
    ...(options.featureGate ? { featureGate: options.featureGate } : {}),
    description: field.comment || (target?.comment ?? ""),
  };
}

type MergeBehaviour = Pick<
  FieldSchema,
  "patchStrategy" | "patchMergeKey" | "listType" | "listMapKeys" | "mapType" | "structType"
>;

function mergeBehaviour(options: Partial<Field>, field: FieldDescriptor): MergeBehaviour {
  const listMapKeys = options.listMapKeys ?? [];
  const listType = listMapKeys.length > 0 ? "map" : options.listType || undefined;
  const patchStrategy = options.patchStrategy || undefined;
  const patchMergeKey = options.patchMergeKey || (patchStrategy?.includes("merge") ? listMapKeys[0] : undefined);
  return {
    ...(patchStrategy === undefined ? {} : { patchStrategy }),
    ...(patchMergeKey === undefined ? {} : { patchMergeKey }),
    ...(listType === undefined ? {} : { listType: oneOf(["atomic", "set", "map"], listType, field) }),
    listMapKeys,
    ...(options.mapType ? { mapType: oneOf(["atomic", "granular"], options.mapType, field) } : {}),
    ...(options.structType ? { structType: oneOf(["atomic", "granular"], options.structType, field) } : {}),
  };
}

type ValueRules = Pick<FieldSchema, "enumValues" | "default" | "minimum" | "maximum">;

function valueRules(options: Partial<Field>, parent: MessageDescriptor): ValueRules {
  return {
    ...(options.stringType ? { enumValues: enumValues(options.stringType, parent.file) } : {}),
    ...(options.default === undefined ? {} : { default: buildDefault(options.default) }),
    ...(options.minimum === undefined ? {} : { minimum: Number(options.minimum) }),
    ...(options.maximum === undefined ? {} : { maximum: Number(options.maximum) }),
  };
}

type ValueType = Pick<FieldSchema, "type" | "message" | "repeated" | "mapKey">;

function valueType(field: FieldDescriptor, parent: MessageDescriptor, find: FindMessage): ValueType {
  if (field.type !== messageType) return { type: scalarType(field, parent), repeated: field.repeated };
  const target = find(field.typeName);
  if (!target.descriptor.isMapEntry) return { type: "message", message: target.schema, repeated: field.repeated };
  const [key, value] = target.descriptor.fields;
  if (key === undefined || value === undefined) throw new Error(`${parent.name}.${field.name}: not a map`);
  return { ...valueType(value, parent, find), repeated: false, mapKey: scalarType(key, parent) };
}

function scalarType(field: FieldDescriptor, parent: MessageDescriptor): ScalarType {
  const type = scalarTypes.get(field.type);
  if (type === undefined)
    throw new Error(`${parent.name}.${field.name}: kinds cannot have fields of this protobuf type`);
  return type;
}

function enumValues(name: string, file: FileDescriptor): { values: readonly string[]; closed: boolean } {
  const type = file.stringTypes.get(name);
  if (type === undefined) throw new Error(`${file.path}: no string_type ${name}`);
  return { values: type.values, closed: type.closed };
}

function buildDefault(options: Default): FieldDefault {
  const when = options.when === undefined ? {} : { when: { path: options.when.path, values: options.when.values } };
  const value = options.value;
  switch (value?.$case) {
    case "copyOf":
      return { copyOf: value.value, ...when };
    case "json":
      return { value: JSON.parse(value.value) as DefaultValue, ...when };
    case "int":
      return { value: Number(value.value), ...when };
    case "string":
    case "bool":
      return { value: value.value, ...when };
    case undefined:
      throw new Error("a default without a value");
  }
}

function oneOf<T extends string>(allowed: readonly T[], value: string, field: FieldDescriptor): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`${field.name}: ${value} is none of ${allowed.join(", ")}`);
  return found;
}
