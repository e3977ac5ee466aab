import type { ManagedFieldsEntry } from "../../gen/k8s/meta/v1.ts";
import { RawJson } from "../codec/raw-json.ts";
import type { JsonValue } from "../json-value.ts";
import { FieldSet } from "./field-set.ts";

/** Who owns fields, by which kind of write, in which version of the API, through which subresource. */
export interface FieldManager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** Empty for the object itself. */
  readonly subresource: string;
}

export interface ManagerFields extends FieldManager {
  /** RFC 3339; when the set last changed. */
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** Who applies is known by name whatever version of the API is spoken; ordinary writes are kept apart by version. */
export function isSameManager(left: FieldManager, right: FieldManager): boolean {
  return (
    left.manager === right.manager &&
    left.operation === right.operation &&
    left.subresource === right.subresource &&
    (left.operation === "Apply" || left.apiVersion === right.apiVersion)
  );
}

/** Reads `metadata.managedFields`; entries of another form than FieldsV1 are passed over. */
export function decodeManagedFields(entries: readonly ManagedFieldsEntry[]): ManagerFields[] {
  return entries
    .filter((entry) => entry.fieldsV1 !== undefined && (entry.fieldsType ?? "FieldsV1") === "FieldsV1")
    .map((entry) => ({
      manager: entry.manager ?? "",
      operation: entry.operation === "Apply" ? "Apply" : "Update",
      apiVersion: entry.apiVersion ?? "",
      subresource: entry.subresource ?? "",
      time: entry.time,
      fields: FieldSet.fromJson((entry.fieldsV1?.parse() ?? null) as JsonValue),
    }));
}

/** Writes them in upstream's order: applies first, then by time, then by name. */
export function encodeManagedFields(managers: readonly ManagerFields[]): ManagedFieldsEntry[] {
  const sortKey = (one: ManagerFields): string =>
    [one.operation, one.time ?? "", one.manager, one.apiVersion, one.subresource].join("\n");
  return managers
    .filter((one) => !one.fields.isEmpty)
    .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
    .map((one) => ({
      manager: one.manager,
      operation: one.operation,
      apiVersion: one.apiVersion,
      ...(one.time === undefined ? {} : { time: one.time }),
      fieldsType: "FieldsV1",
      fieldsV1: RawJson.from(one.fields.toJson()),
      ...(one.subresource === "" ? {} : { subresource: one.subresource }),
    }));
}
