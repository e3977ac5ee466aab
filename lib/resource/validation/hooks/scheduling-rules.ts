import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from "../../../gen/k8s/core/v1.ts";
import type { FieldPath } from "../../field-path.ts";
import { labelValueProblems, qualifiedNameProblems } from "../name-format.ts";
import { checkLabels } from "../object-meta-rules.ts";
import { checkLabelSelector } from "../selector-rules.ts";
import type { Violations } from "../violations.ts";

/** Where a pod may run. */
export function checkScheduling(spec: PodSpec, path: FieldPath, violations: Violations): void {
  checkLabels(spec.nodeSelector, path.child("nodeSelector"), violations);
  checkTolerations(spec.tolerations ?? [], path.child("tolerations"), violations);
  if (spec.affinity !== undefined) checkAffinity(spec.affinity, path.child("affinity"), violations);
  checkSpread(spec.topologySpreadConstraints ?? [], path.child("topologySpreadConstraints"), violations);
  const names = new Set<string>();
  for (const [index, { name = "" }] of (spec.schedulingGates ?? []).entries()) {
    const at = path.child("schedulingGates").index(index);
    if (name === "") violations.required(at, "must not be empty");
    else violations.invalidEach(at, name, qualifiedNameProblems(name));
    if (names.has(name)) violations.duplicate(at, name);
    names.add(name);
  }
}

export function checkTolerations(tolerations: readonly Toleration[], path: FieldPath, violations: Violations): void {
  for (const [index, toleration] of tolerations.entries()) {
    const at = path.index(index);
    const { key = "", operator = "", value = "", effect = "", tolerationSeconds } = toleration;
    if (key !== "") violations.invalidEach(at.child("key"), key, qualifiedNameProblems(key));
    if (key === "" && operator !== "Exists") {
      const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      violations.invalid(at.child("operator"), operator, detail);
    }
    if (tolerationSeconds !== undefined && effect !== "NoExecute") {
      violations.invalid(at.child("effect"), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    if (operator === "Exists" && value !== "") {
      violations.invalid(at.child("operator"), toleration, "value must be empty when `operator` is 'Exists'");
    } else if (operator === "Equal" || operator === "") {
      violations.invalidEach(at.child("operator"), value, labelValueProblems(value));
    }
  }
}

function checkSpread(constraints: readonly TopologySpreadConstraint[], path: FieldPath, violations: Violations): void {
  const seen = new Set<string>();
  for (const [index, constraint] of constraints.entries()) {
    const at = path.index(index);
    const { maxSkew = 0, topologyKey = "", whenUnsatisfiable = "", minDomains } = constraint;
    if (maxSkew <= 0) violations.invalid(at.child("maxSkew"), maxSkew, "must be greater than zero");
    if (topologyKey === "") violations.required(at.child("topologyKey"), "can not be empty");
    else violations.invalidEach(at.child("topologyKey"), topologyKey, qualifiedNameProblems(topologyKey));
    if (whenUnsatisfiable === "") {
      violations.notSupported(at.child("whenUnsatisfiable"), "", ["DoNotSchedule", "ScheduleAnyway"]);
    }
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    if (seen.has(pair)) violations.duplicate(at.child("{topologyKey, whenUnsatisfiable}"), pair);
    seen.add(pair);
    if (minDomains !== undefined && minDomains <= 0) {
      violations.invalid(at.child("minDomains"), minDomains, "must be greater than zero");
    }
    checkLabelSelector(constraint.labelSelector, at.child("labelSelector"), violations);
  }
}

function checkAffinity(affinity: Affinity, path: FieldPath, violations: Violations): void {
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const { nodeAffinity } = affinity;
  const nodePath = path.child("nodeAffinity");
  const selector = nodeAffinity?.[required];
  if (selector !== undefined) {
    const at = nodePath.child(required, "nodeSelectorTerms");
    const terms = selector.nodeSelectorTerms ?? [];
    if (terms.length === 0) violations.required(at, "must have at least one node selector term");
    for (const [index, term] of terms.entries()) checkNodeTerm(term, at.index(index), violations);
  }
  for (const [index, term] of (nodeAffinity?.[preferred] ?? []).entries()) {
    const at = nodePath.child(preferred).index(index);
    checkWeight(term.weight, at.child("weight"), violations);
    checkNodeTerm(term.preference ?? {}, at.child("preference"), violations);
  }
  for (const member of ["podAffinity", "podAntiAffinity"] as const) {
    const at = path.child(member);
    for (const [index, term] of (affinity[member]?.[required] ?? []).entries()) {
      checkPodTerm(term, at.child(required).index(index), violations);
    }
    for (const [index, term] of (affinity[member]?.[preferred] ?? []).entries()) {
      const place = at.child(preferred).index(index);
      checkWeight(term.weight, place.child("weight"), violations);
      checkPodTerm(term.podAffinityTerm ?? {}, place.child("podAffinityTerm"), violations);
    }
  }
}

function checkWeight(weight: number | undefined, path: FieldPath, violations: Violations): void {
  if (weight === undefined || weight < 1 || weight > 100) {
    violations.invalid(path, weight ?? 0, "must be in the range 1-100");
  }
}

function checkPodTerm(term: PodAffinityTerm, path: FieldPath, violations: Violations): void {
  const { topologyKey = "" } = term;
  checkLabelSelector(term.labelSelector, path.child("labelSelector"), violations);
  checkLabelSelector(term.namespaceSelector, path.child("namespaceSelector"), violations);
  if (topologyKey === "") violations.required(path.child("topologyKey"), "can not be empty");
  else violations.invalidEach(path.child("topologyKey"), topologyKey, qualifiedNameProblems(topologyKey));
}

export function checkNodeTerm(term: NodeSelectorTerm, path: FieldPath, violations: Violations): void {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries()) {
    checkNodeExpression(requirement, path.child("matchExpressions").index(index), violations);
  }
  for (const [index, requirement] of (term.matchFields ?? []).entries()) {
    const at = path.child("matchFields").index(index);
    const { key = "", operator = "", values = [] } = requirement;
    if (operator !== "In" && operator !== "NotIn") {
      violations.invalid(at.child("operator"), operator, "not a valid selector operator");
    } else if (values.length !== 1) {
      const detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
      violations.required(at.child("values"), detail);
    }
    if (key !== "metadata.name") violations.invalid(at.child("key"), key, "not a valid field selector key");
  }
}

function checkNodeExpression(requirement: NodeSelectorRequirement, path: FieldPath, violations: Violations): void {
  const { key = "", operator = "", values = [] } = requirement;
  const at = path.child("values");
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) violations.required(at, "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    if (values.length > 0) {
      violations.forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    }
  } else if (operator === "Gt" || operator === "Lt") {
    if (values.length !== 1) violations.required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'");
  } else {
    violations.invalid(path.child("operator"), operator, "not a valid selector operator");
  }
  violations.invalidEach(path.child("key"), key, qualifiedNameProblems(key));
}
