import type { LabelSelector } from "../../gen/k8s/meta/v1.ts";
import type { FieldPath } from "../field-path.ts";
import { labelValueProblems, qualifiedNameProblems } from "./name-format.ts";
import { checkLabels } from "./object-meta-rules.ts";
import type { Violations } from "./violations.ts";

/** Rules of a `LabelSelector`. Source: kubernetes/apimachinery:pkg/apis/meta/v1/validation. */
export function checkLabelSelector(selector: LabelSelector | undefined, path: FieldPath, violations: Violations): void {
  if (selector === undefined) return;
  checkLabels(selector.matchLabels, path.child("matchLabels"), violations);
  for (const [index, expression] of (selector.matchExpressions ?? []).entries()) {
    const { key = "", operator = "", values = [] } = expression;
    const at = path.child("matchExpressions").index(index);
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) {
        violations.required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
      }
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) {
        violations.forbidden(at.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      }
    } else {
      violations.invalid(at.child("operator"), operator, "not a valid selector operator");
    }
    violations.invalidEach(at.child("key"), key, qualifiedNameProblems(key));
    for (const [position, value] of values.entries()) {
      violations.invalidEach(at.child("values").index(position), value, labelValueProblems(value));
    }
  }
}
