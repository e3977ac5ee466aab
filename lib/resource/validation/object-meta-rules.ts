import type { ObjectMeta, OwnerReference } from "../../gen/k8s/meta/v1.ts";
import { FieldPath } from "../field-path.ts";
import { type JsonValue, jsonEqual } from "../json-value.ts";
import type { ResourceDefinition } from "../kind.ts";
import {
  dnsLabelProblems,
  dnsSubdomainProblems,
  labelValueProblems,
  pathSegmentProblems,
  qualifiedNameProblems,
} from "./name-format.ts";
import type { Violations } from "./violations.ts";

/** Keys and values together. */
const ANNOTATIONS_LIMIT_BYTES = 256 * 1024;

const metadataPath = FieldPath.of("metadata");

const nameForms: Readonly<Record<ResourceDefinition["nameFormat"], (name: string) => string[]>> = {
  "dns-label": dnsLabelProblems,
  "dns-subdomain": dnsSubdomainProblems,
  "path-segment": pathSegmentProblems,
};

/** What is wrong with a name of this form; a prefix of a generated name may end where the name goes on. */
export function nameProblems(format: ResourceDefinition["nameFormat"], name: string, isPrefix = false): string[] {
  const open = isPrefix && format !== "path-segment" && name.length > 1 && name.endsWith("-");
  return nameForms[format](open ? `${name.slice(0, -1)}a` : name);
}

/**
 * Rules for the metadata of every object. Source: kubernetes/apimachinery:pkg/api/validation.
 * `metadata` has its name (generated or not) and namespace already.
 */
export function checkObjectMeta(
  definition: Pick<ResourceDefinition, "nameFormat" | "namespaced">,
  metadata: ObjectMeta,
  violations: Violations,
): void {
  const { name = "", generateName = "", namespace = "" } = metadata;
  if (generateName !== "") {
    const path = metadataPath.child("generateName");
    violations.invalidEach(path, generateName, nameProblems(definition.nameFormat, generateName, true));
  }
  const namePath = metadataPath.child("name");
  if (name === "") violations.required(namePath, "name or generateName is required");
  else violations.invalidEach(namePath, name, nameProblems(definition.nameFormat, name));
  checkNamespace(definition.namespaced, namespace, violations);
  checkCommonMeta(metadata, metadataPath, violations);
}

function checkNamespace(namespaced: boolean, namespace: string, violations: Violations): void {
  const path = metadataPath.child("namespace");
  if (!namespaced) {
    if (namespace !== "") violations.forbidden(path, "not allowed on this type");
  } else if (namespace === "") {
    violations.required(path);
  } else {
    violations.invalidEach(path, namespace, dnsLabelProblems(namespace));
  }
}

function checkCommonMeta(metadata: ObjectMeta, path: FieldPath, violations: Violations): void {
  const { generation = 0 } = metadata;
  if (generation < 0) {
    violations.invalid(path.child("generation"), generation, "must be greater than or equal to 0");
  }
  checkLabels(metadata.labels, path.child("labels"), violations);
  checkAnnotations(metadata.annotations, path.child("annotations"), violations);
  checkOwnerReferences(metadata.ownerReferences ?? [], path.child("ownerReferences"), violations);
  checkFinalizers(metadata.finalizers ?? [], path.child("finalizers"), violations);
  for (const [index, entry] of (metadata.managedFields ?? []).entries()) {
    const { operation = "", fieldsType = "" } = entry;
    const entryPath = path.child("managedFields").index(index);
    if (operation !== "Apply" && operation !== "Update") {
      violations.invalid(entryPath.child("operation"), operation, "must be `Apply` or `Update`");
    }
    if (fieldsType !== "FieldsV1") violations.invalid(entryPath.child("fieldsType"), fieldsType, "must be `FieldsV1`");
  }
}

/** Also for the labels of a template or a node selector. */
export function checkLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
  violations: Violations,
): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    violations.invalidEach(path, key, qualifiedNameProblems(key));
    violations.invalidEach(path, value, labelValueProblems(value));
  }
}

export function checkAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
  violations: Violations,
): void {
  let sizeBytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    violations.invalidEach(path, key, qualifiedNameProblems(key.toLowerCase()));
    sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (sizeBytes > ANNOTATIONS_LIMIT_BYTES) violations.tooLong(path, ANNOTATIONS_LIMIT_BYTES);
}

function checkOwnerReferences(references: readonly OwnerReference[], path: FieldPath, violations: Violations): void {
  let controller: string | undefined;
  for (const [index, reference] of references.entries()) {
    checkOwnerReference(reference, path.index(index), violations);
    if (reference.controller !== true) continue;
    const name = `${reference.kind ?? ""}/${reference.name ?? ""}`;
    if (controller !== undefined) {
      const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`;
      violations.invalid(path, references, detail);
    }
    controller ??= name;
  }
}

function checkOwnerReference(reference: OwnerReference, path: FieldPath, violations: Violations): void {
  const { apiVersion = "", kind = "", name = "", uid = "" } = reference;
  const required = (member: string, value: string): void => {
    if (value === "") violations.required(path.child(member), "must not be empty");
  };
  required("apiVersion", apiVersion);
  if (apiVersion !== "" && !/^([^/]+\/)?[^/]+$/.test(apiVersion)) {
    violations.invalid(path.child("apiVersion"), apiVersion, "must be <group>/<version> or <version>");
  }
  required("kind", kind);
  required("name", name);
  required("uid", uid);
  if (apiVersion === "v1" && kind === "Event") {
    violations.invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner");
  }
}

function checkFinalizers(finalizers: readonly string[], path: FieldPath, violations: Violations): void {
  for (const finalizer of finalizers) violations.invalidEach(path, finalizer, qualifiedNameProblems(finalizer));
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    violations.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
  }
}

const immutableMembers = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
] as const;

/** A member that the update leaves out is taken as unchanged: the server keeps it. */
export function checkObjectMetaUpdate(metadata: ObjectMeta, old: ObjectMeta, violations: Violations): void {
  for (const member of immutableMembers) {
    const value = metadata[member];
    if (value === undefined || jsonEqual(value as JsonValue, old[member] as JsonValue | undefined)) continue;
    violations.invalid(metadataPath.child(member), value, "field is immutable");
  }
  const { generation = 0, finalizers = [] } = metadata;
  if (metadata.generation !== undefined && generation < (old.generation ?? 0)) {
    violations.invalid(metadataPath.child("generation"), generation, "must not be decremented");
  }
  if (old.deletionTimestamp !== undefined) {
    const added = finalizers.filter((finalizer) => !(old.finalizers ?? []).includes(finalizer)).sort();
    if (added.length > 0) {
      const shown = `[]string{${added.map((one) => JSON.stringify(one)).join(", ")}}`;
      const detail = `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`;
      violations.forbidden(metadataPath.child("finalizers"), detail);
    }
  }
  checkCommonMeta(metadata, metadataPath, violations);
}
