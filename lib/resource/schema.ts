/**
 * What machinery knows of a message, read from the descriptors of `proto/` and their annotations. Field numbers and
 * presence follow upstream; the order of `fields` is the order of JSON members.
 */
export interface MessageSchema {
  /** Full protobuf name, `k8s.io.api.core.v1.Pod`. */
  readonly name: string;
  /** JSON forms that are not an object with these members; `object` for all others. */
  readonly form: MessageForm;
  readonly fields: readonly FieldSchema[];
  /** A kind: JSON has apiVersion and kind, which are not in the protobuf body. */
  readonly isKind: boolean;
  /** struct or map type of the whole message for apply. */
  readonly atomic: boolean;
  readonly description: string;
}

export type MessageForm =
  | "object"
  | "time"
  | "micro-time"
  | "duration"
  | "quantity"
  | "int-or-string"
  /** Any JSON value kept as its source text (JSON). */
  | "raw"
  /** As `raw`, but an object or null (RawExtension, FieldsV1). */
  | "raw-object"
  /** The message is a list (ExtraValue, Verbs): its only field `items` is the JSON value. */
  | "array"
  | "schema-or-bool"
  | "schema-or-array"
  | "schema-or-string-array";

export type ScalarType = "string" | "bool" | "int32" | "int64" | "uint32" | "uint64" | "double" | "bytes";

export interface FieldSchema {
  readonly number: number;
  /** Name in the .proto file. */
  readonly protoName: string;
  /** Name in JSON; empty for an inlined field, whose members appear in the parent, and for one that JSON lacks. */
  readonly jsonName: string;
  readonly type: ScalarType | "message";
  /** Resolved lazily, since messages may refer to themselves. */
  readonly message?: () => MessageSchema;
  readonly repeated: boolean;
  /** A map with keys of this type; `type` is the value's. */
  readonly mapKey?: ScalarType;
  readonly inlined: boolean;
  readonly notInJson: boolean;
  /** Absence is kept apart from zero (a pointer upstream). */
  readonly presence: boolean;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  readonly required: boolean;
  readonly optional: boolean;
  readonly nullable: boolean;
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly listType?: "atomic" | "set" | "map";
  readonly listMapKeys: readonly string[];
  readonly mapType?: "atomic" | "granular";
  readonly structType?: "atomic" | "granular";
  /** Known values of a string; `closed` says that others are refused. */
  readonly enumValues?: { readonly values: readonly string[]; readonly closed: boolean };
  readonly immutable: boolean;
  readonly featureGate?: string;
  readonly description: string;
}
