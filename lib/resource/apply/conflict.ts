import { type StatusCause, StatusError } from "../../core/status-error.ts";
import type { FieldSet } from "./field-set.ts";
import type { ManagerFields } from "./managed-fields.ts";
import { pathText } from "./path-element.ts";

export interface Conflict {
  readonly manager: ManagerFields;
  readonly fields: FieldSet;
}

/** 409 with a cause for each field, in the words that kubectl shows. Source: kubernetes/apimachinery:pkg/util/managedfields. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const causes: StatusCause[] = conflicts.flatMap(({ manager, fields }) =>
    fields.paths().map((path) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${managerText(manager)}`,
      field: pathText(path),
    })),
  );
  const texts = conflicts.map(({ manager, fields }) => {
    const paths = fields.paths().map(pathText);
    if (paths.length === 1) return `conflict with ${managerText(manager)}: ${paths[0]}`;
    return `conflicts with ${managerText(manager)}:\n${paths.map((path) => `- ${path}`).join("\n")}`;
  });
  const count = `${causes.length} ${causes.length === 1 ? "conflict" : "conflicts"}`;
  const list = texts.length === 1 ? texts[0] : texts.join("\n");
  return new StatusError(409, "Conflict", `Apply failed with ${count}: ${list}`, { causes });
}

function managerText({ manager, operation, apiVersion, subresource, time }: ManagerFields): string {
  const name = `${JSON.stringify(manager)}${subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`}`;
  if (operation === "Apply") return name;
  return `${name} using ${apiVersion}${time === undefined ? "" : ` at ${time}`}`;
}
