import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec } from "../../../gen/k8s/core/v1.ts";
import { FieldPath } from "../../field-path.ts";
import { type JsonValue, jsonEqual } from "../../json-value.ts";
import type { KindRules } from "../kind-rules.ts";
import { dnsSubdomainProblems } from "../name-format.ts";
import { checkLabelSelector } from "../selector-rules.ts";
import type { Violations } from "../violations.ts";
import { checkQuantity } from "./resource-rules.ts";
import { checkNodeTerm } from "./scheduling-rules.ts";

const specPath = FieldPath.of("spec");

/** Members of a volume's spec that are no source. */
const commonMembers = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

function sourcesOf(spec: PersistentVolume["spec"]): [string, unknown][] {
  return Object.entries(spec ?? {}).filter(([member]) => !commonMembers.has(member));
}

function checkAccessModes(modes: readonly string[], path: FieldPath, violations: Violations): void {
  if (modes.includes("ReadWriteOncePod") && modes.length > 1) {
    violations.forbidden(path, "may not use ReadWriteOncePod with other access modes");
  }
}

function checkClassName(name: string | undefined, path: FieldPath, violations: Violations): void {
  if (name !== undefined && name !== "") violations.invalidEach(path, name, dnsSubdomainProblems(name));
}

export const persistentVolumeRules: KindRules<PersistentVolume> = {
  object({ spec = {} }, violations) {
    const { accessModes = [], capacity = {} } = spec;
    checkAccessModes(accessModes, specPath.child("accessModes"), violations);
    const amounts = Object.entries(capacity);
    if (amounts.length > 1 || (amounts.length === 1 && !Object.hasOwn(capacity, "storage"))) {
      violations.notSupported(specPath.child("capacity"), capacity, ["storage"]);
    }
    for (const [name, amount] of amounts) checkQuantity(amount, specPath.child("capacity").key(name), violations);
    const sources = sourcesOf(spec);
    if (sources.length === 0) violations.required(specPath, "must specify a volume type");
    for (const [extra] of sources.slice(1)) {
      violations.forbidden(specPath.child(extra), "may not specify more than 1 volume type");
    }
    for (const [index, term] of (spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).entries()) {
      checkNodeTerm(term, specPath.child("nodeAffinity", "required", "nodeSelectorTerms").index(index), violations);
    }
    checkClassName(spec.storageClassName, specPath.child("storageClassName"), violations);
  },
  update({ spec }, { spec: old }, violations) {
    if (!jsonEqual(Object.fromEntries(sourcesOf(spec)) as JsonValue, Object.fromEntries(sourcesOf(old)) as JsonValue)) {
      violations.forbidden(
        FieldPath.of("spec.persistentvolumesource"),
        "spec.persistentvolumesource is immutable after creation",
      );
    }
    if (old?.nodeAffinity !== undefined && !jsonEqual(spec?.nodeAffinity as JsonValue, old.nodeAffinity as JsonValue)) {
      violations.invalid(specPath.child("nodeAffinity"), spec?.nodeAffinity, "field is immutable");
    }
  },
};

export function checkClaimSpec(spec: PersistentVolumeClaimSpec, path: FieldPath, violations: Violations): void {
  const { accessModes = [], resources, storageClassName } = spec;
  checkAccessModes(accessModes, path.child("accessModes"), violations);
  checkLabelSelector(spec.selector, path.child("selector"), violations);
  const storage = resources?.requests?.["storage"];
  const storagePath = path.child("resources").key("storage");
  if (storage === undefined) violations.required(storagePath);
  else if (/^0+$/.test(storage)) violations.invalid(storagePath, storage, "must be greater than zero");
  else checkQuantity(storage, storagePath, violations);
  checkClassName(storageClassName, path.child("storageClassName"), violations);
}

export const persistentVolumeClaimRules: KindRules<PersistentVolumeClaim> = {
  object({ spec = {} }, violations) {
    checkClaimSpec(spec, specPath, violations);
  },
  update({ spec = {} }, { spec: old = {}, status }, violations) {
    const allowed: PersistentVolumeClaimSpec = { ...spec };
    const keep = (member: keyof PersistentVolumeClaimSpec): void => {
      if (old[member] === undefined) delete allowed[member];
      else Object.assign(allowed, { [member]: old[member] });
    };
    if (old.volumeName === undefined) keep("volumeName");
    if (old.storageClassName === undefined) keep("storageClassName");
    if (status?.phase === "Bound") {
      keep("resources");
      keep("volumeAttributesClassName");
    }
    if (jsonEqual(allowed as JsonValue, old as JsonValue)) return;
    const detail =
      "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    violations.forbidden(specPath, detail);
  },
};
