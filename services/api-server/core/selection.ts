import { badRequest } from "../../../lib/core/status-error.ts";
import { type FieldSelector, fieldText, parseFieldSelector } from "../../../lib/resource/selector/field-selector.ts";
import type { LabelSelector } from "../../../lib/resource/selector/label-selector.ts";
import { parseLabelSelector } from "../../../lib/resource/selector/label-selector-text.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import type { SelectorTexts } from "./request.ts";
import type { ServedKind } from "./stored-kind.ts";

/** Text of fields that are absent when false or zero. */
const ZERO_TEXT: Readonly<Record<string, string>> = {
  "spec.hostNetwork": "false",
  "spec.unschedulable": "false",
  "status.replicas": "0",
  "status.successful": "0",
};

/** Which objects of a kind a request means. */
export class Selection {
  readonly kind: ServedKind;
  readonly namespace: string;
  /** metadata.name, where the selector fixes it: a look-up instead of a scan. */
  readonly name: string | undefined;
  readonly #labels: LabelSelector;
  readonly #fields: FieldSelector;

  constructor(kind: ServedKind, place: { namespace: string; name: string }, texts: SelectorTexts) {
    this.kind = kind;
    this.#labels = parsed(() => parseLabelSelector(texts.label));
    const named = place.name === "" ? "" : `metadata.name=${place.name}`;
    this.#fields = parsed(() =>
      parseFieldSelector([texts.field, named].filter((text) => text !== "").join(",")),
    ).mapFields((field) => storedField(kind, field));
    this.name = this.#fields.exactValue("metadata.name");
    const byField = kind.definition.namespaced ? this.#fields.exactValue("metadata.namespace") : undefined;
    this.namespace = place.namespace === "" ? (byField ?? "") : place.namespace;
  }

  /** The one value that the kind's index field must have. */
  get indexValue(): string | undefined {
    const { indexField } = this.kind.stored;
    return indexField === undefined ? undefined : this.#fields.exactValue(indexField);
  }

  /** True when nothing but the namespace selects. */
  get isPlain(): boolean {
    return this.#labels.isEverything && this.#fields.isEverything;
  }

  matches(object: CachedObject): boolean {
    if (this.namespace !== "" && object.namespace !== this.namespace) return false;
    if (this.name !== undefined && object.name !== this.name) return false;
    if (!this.#labels.isEverything && !this.#labels.matches(object.labels)) return false;
    if (this.#fields.isEverything) return true;
    return this.#fields.matches((field) => textOf(object, field));
  }
}

function textOf(object: CachedObject, field: string): string {
  if (field === "metadata.name") return object.name;
  if (field === "metadata.namespace") return object.namespace;
  const stored = object.object();
  if (field === "source") return fieldText(stored, "source.component") || fieldText(stored, "reportingComponent");
  return fieldText(stored, field) || (ZERO_TEXT[field] ?? "");
}

function storedField(kind: ServedKind, field: string): string {
  if (field === "metadata.name") return field;
  if (field === "metadata.namespace" && kind.definition.namespaced) return field;
  const alias = kind.definition.fieldAliases.get(field);
  if (alias !== undefined) return alias;
  if (kind.definition.selectableFields.includes(field)) return field;
  throw badRequest(`field label not supported: ${field}`);
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Error && error.name === "SelectorError") throw badRequest(error.message);
    throw error;
  }
}
