import type { StatusCause } from "../../../lib/core/status-error.ts";
import { type KubeObject, sameValue } from "../core/kube-object.ts";
import type { Strategy } from "./strategy.ts";

function immutableMembers(object: KubeObject, old: KubeObject, members: readonly string[]): StatusCause[] {
  if (old["immutable"] !== true) return [];
  const causes: StatusCause[] = [];
  if (object["immutable"] !== true) causes.push(forbidden("immutable"));
  for (const member of members) {
    if (!sameValue(object[member], old[member])) causes.push(forbidden(member));
  }
  return causes;
}

function forbidden(field: string): StatusCause {
  return {
    reason: "FieldValueForbidden",
    message: "Forbidden: field is immutable when `immutable` is set",
    field,
  };
}

export const configMapStrategy: Strategy = {
  validateUpdate: (object, old) => immutableMembers(object, old, ["data", "binaryData"]),
};

export const secretStrategy: Strategy = {
  prepareUpdate(object, old) {
    // Old clients drop the type on update.
    if (object["type"] === undefined) object["type"] = old["type"];
  },
  validateUpdate(object, old) {
    const causes = immutableMembers(object, old, ["data"]);
    if (object["type"] !== old["type"]) {
      const message = `Invalid value: ${JSON.stringify(object["type"])}: field is immutable`;
      causes.unshift({ reason: "FieldValueInvalid", message, field: "type" });
    }
    return causes;
  },
};
