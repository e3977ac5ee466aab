import type { Container, EphemeralContainer, Pod, PodSpec } from "../../../gen/k8s/core/v1.ts";
import { FieldPath } from "../../field-path.ts";
import { type JsonValue, jsonEqual } from "../../json-value.ts";
import { dnsLabelProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";
import { checkImage } from "./container-rules.ts";
import { checkEnvironment } from "./environment-rules.ts";
import { checkResources } from "./resource-rules.ts";

const specPath = FieldPath.of("spec");

/** What makes no sense in a container that joins a running pod. */
const notForEphemeral = ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources"] as const;

/** Containers may join a running pod (KEP-277); those that did stay as they are, and so does everything else. */
export function checkEphemeralUpdate({ spec = {} }: Pod, { spec: old = {} }: Pod, violations: Violations): void {
  const path = specPath.child("ephemeralContainers");
  const containers = spec.ephemeralContainers ?? [];
  const names = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map((one) => one.name ?? ""));
  for (const [index, container] of containers.entries()) {
    checkEphemeralContainer(container, spec, path.index(index), names, violations);
  }
  for (const before of old.ephemeralContainers ?? []) {
    const now = containers.find((container) => container.name === before.name);
    if (jsonEqual(now as JsonValue | undefined, before as JsonValue)) continue;
    const done = now === undefined ? "removed" : "changed";
    violations.forbidden(path, `existing ephemeral containers ${JSON.stringify(before.name ?? "")} may not be ${done}`);
  }
  const { ephemeralContainers: _now, ...rest } = spec;
  const { ephemeralContainers: _before, ...oldRest } = old;
  if (jsonEqual(rest as JsonValue, oldRest as JsonValue)) return;
  violations.forbidden(specPath, "pod updates through ephemeralcontainers may not change other fields");
}

function checkEphemeralContainer(
  container: EphemeralContainer,
  spec: PodSpec,
  path: FieldPath,
  names: Set<string>,
  violations: Violations,
): void {
  const { name = "", targetContainerName = "" } = container;
  if (name === "") violations.required(path.child("name"));
  else violations.invalidEach(path.child("name"), name, dnsLabelProblems(name));
  if (names.has(name)) violations.duplicate(path.child("name"), name);
  names.add(name);
  checkImage(container.image, path.child("image"), violations);
  checkEnvironment(container, path, violations);
  for (const member of notForEphemeral) {
    const value = container[member];
    if (value === undefined || jsonEqual(value as JsonValue, {})) continue;
    violations.forbidden(path.child(member), "cannot be set for an Ephemeral Container");
  }
  const targets = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map((one) => one.name);
  if (targetContainerName !== "" && !targets.includes(targetContainerName)) {
    violations.notFound(path.child("targetContainerName"), targetContainerName);
  }
}

/** The amounts of cpu and memory of running containers may change (KEP-1287), and nothing else. */
export function checkResize({ spec = {} }: Pod, { spec: old = {} }: Pod, violations: Violations): void {
  const allowed: PodSpec = { ...spec };
  for (const member of ["containers", "initContainers"] as const) {
    const containers = spec[member];
    if (containers === undefined) continue;
    for (const [index, container] of containers.entries()) {
      checkResources(container.resources, specPath.child(member).index(index).child("resources"), violations);
    }
    allowed[member] = containers.map((container, index) => withAmountsOf(container, old[member]?.[index]));
  }
  if (jsonEqual(allowed as JsonValue, old as JsonValue)) return;
  violations.forbidden(specPath, "only cpu and memory resources are mutable");
}

function withAmountsOf(container: Container, old: Container | undefined): Container {
  const { resources: _, ...rest } = container;
  const resources = { ...container.resources };
  for (const list of ["limits", "requests"] as const) {
    const amounts = { ...resources[list] };
    const before = old?.resources?.[list] ?? {};
    for (const name of ["cpu", "memory"]) {
      if (before[name] === undefined) delete amounts[name];
      else amounts[name] = before[name];
    }
    if (Object.keys(amounts).length > 0) resources[list] = amounts;
    else delete resources[list];
  }
  return Object.keys(resources).length > 0 ? { ...rest, resources } : rest;
}
