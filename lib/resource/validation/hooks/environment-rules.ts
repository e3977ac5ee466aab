import type { Container, EnvFromSource, EnvVar, EnvVarSource } from "../../../gen/k8s/core/v1.ts";
import type { FieldPath } from "../../field-path.ts";
import { configKeyProblems, dnsSubdomainProblems, environmentNameProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";

const fieldPaths = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

const resourceFields = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];

type Environment = Pick<Container, "env" | "envFrom">;

export function checkEnvironment(container: Environment, path: FieldPath, violations: Violations): void {
  for (const [index, variable] of (container.env ?? []).entries()) {
    checkVariable(variable, path.child("env").index(index), violations);
  }
  for (const [index, source] of (container.envFrom ?? []).entries()) {
    checkSource(source, path.child("envFrom").index(index), violations);
  }
}

function checkVariable(variable: EnvVar, path: FieldPath, violations: Violations): void {
  const { name = "", value = "", valueFrom } = variable;
  if (name === "") violations.required(path.child("name"));
  else violations.invalidEach(path.child("name"), name, environmentNameProblems(name));
  if (valueFrom === undefined) return;
  const at = path.child("valueFrom");
  const sources = Object.keys(valueFrom).length;
  if (sources === 0) {
    const detail =
      "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
    violations.invalid(at, "", detail);
  } else if (sources > 1) {
    violations.invalid(at, "", "may not have more than one field specified at a time");
  }
  if (value !== "") violations.invalid(at, "", "may not be specified when `value` is not empty");
  checkValueFrom(valueFrom, at, violations);
}

function checkValueFrom(source: EnvVarSource, path: FieldPath, violations: Violations): void {
  if (source.fieldRef !== undefined) {
    const at = path.child("fieldRef");
    const { fieldPath = "", apiVersion = "" } = source.fieldRef;
    if (apiVersion === "") violations.required(at.child("apiVersion"));
    if (fieldPath === "") violations.required(at.child("fieldPath"));
    else if (!isFieldPath(fieldPath)) violations.notSupported(at.child("fieldPath"), fieldPath, fieldPaths);
  }
  if (source.resourceFieldRef !== undefined) {
    const at = path.child("resourceFieldRef");
    const { resource = "" } = source.resourceFieldRef;
    if (resource === "") violations.required(at.child("resource"));
    else if (!resourceFields.includes(resource) && !/^(limits|requests)\.hugepages-/.test(resource)) {
      violations.notSupported(at.child("resource"), resource, resourceFields);
    }
  }
  for (const member of ["configMapKeyRef", "secretKeyRef"] as const) {
    const reference = source[member];
    if (reference === undefined) continue;
    const at = path.child(member);
    const { key = "", name = "" } = reference;
    if (name === "") violations.required(at.child("name"));
    if (key === "") violations.required(at.child("key"));
    else violations.invalidEach(at.child("key"), key, configKeyProblems(key));
  }
}

function isFieldPath(text: string): boolean {
  return fieldPaths.includes(text) || /^metadata\.(labels|annotations)\['[^']+'\]$/.test(text);
}

function checkSource(source: EnvFromSource, path: FieldPath, violations: Violations): void {
  const { prefix = "", configMapRef, secretRef } = source;
  if (prefix !== "") violations.invalidEach(path.child("prefix"), prefix, environmentNameProblems(prefix));
  if (configMapRef === undefined && secretRef === undefined) {
    violations.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`");
  } else if (configMapRef !== undefined && secretRef !== undefined) {
    violations.invalid(path, "", "may not have more than one field specified at a time");
  }
  for (const [member, reference] of [
    ["configMapRef", configMapRef],
    ["secretRef", secretRef],
  ] as const) {
    if (reference === undefined) continue;
    const at = path.child(member, "name");
    const { name = "" } = reference;
    if (name === "") violations.required(at);
    else violations.invalidEach(at, name, dnsSubdomainProblems(name));
  }
}
