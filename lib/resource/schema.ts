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
  /** Rules that hold for this message as a whole (a kind: `spec.enableServiceLinks` of a Pod, not of a template). */
  readonly defaults: readonly DefaultRule[];
  /** Ids of functions that compute what rules cannot say; each gets the value of this message, after its rules. */
  readonly defaultHooks: readonly string[];
  readonly description: string;
}

/**
 * How an absent field gets a value. Order: of one message first `MessageSchema.defaults`, then the `default` of each field
 * in declared order, then its hooks, then its parts (upstream: a parent's rules run before its parts'). A message field
 * without presence is visited even when absent (upstream holds an empty struct there) and stays if a rule fills it.
 */
export interface FieldDefault {
  /** JSON in normal form; exactly one of `value` and `copyOf` is given. */
  readonly value?: DefaultValue;
  /** JSON path, from the message that holds the field, of what is copied; without a value there, nothing happens. */
  readonly copyOf?: string;
  /** Holds only when the field at this path (from the same message) has one of these values. */
  readonly when?: { readonly path: string; readonly values: readonly DefaultValue[] };
}

/** As `FieldDefault`, for the field at `path` (JSON names joined by dots) below the message that carries the rule. */
export interface DefaultRule extends FieldDefault {
  readonly path: string;
}

export type DefaultValue =
  | string
  | number
  | boolean
  | readonly DefaultValue[]
  | { readonly [name: string]: DefaultValue };

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
  /** JSON leaves out its zero value beside one of these members, which replaced it. One field of a message may have it. */
  readonly omitBeside?: readonly string[];
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
  /** An update may not change it; `ResourceDefinition.immutablePaths` gathers them. */
  readonly immutable: boolean;
  readonly default?: FieldDefault;
  /** Bounds of a number, inclusive. */
  readonly minimum?: number;
  readonly maximum?: number;
  /** Validation refuses the empty string or list and the absent message ("Required value"); `required` is OpenAPI's. */
  readonly nonEmpty: boolean;
  /** Form of a string (`dns-label`, `label-key`, …); empty for a free one. */
  readonly format: string;
  readonly featureGate?: string;
  readonly description: string;
}
