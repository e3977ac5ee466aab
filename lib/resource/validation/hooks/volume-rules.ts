import type { KeyToPath, Volume, VolumeProjection } from "../../../gen/k8s/core/v1.ts";
import type { FieldPath } from "../../field-path.ts";
import { dnsLabelProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";
import { checkQuantity } from "./resource-rules.ts";

const MAX_MODE = 0o777;

export function checkVolumes(volumes: readonly Volume[], path: FieldPath, violations: Violations): void {
  const names = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const at = path.index(index);
    const { name = "" } = volume;
    if (name === "") {
      violations.required(at.child("name"));
    } else {
      violations.invalidEach(at.child("name"), name, dnsLabelProblems(name));
      if (names.has(name)) violations.duplicate(at.child("name"), name);
      names.add(name);
    }
    checkSource(volume, at, violations);
  }
}

function checkSource(volume: Volume, path: FieldPath, violations: Violations): void {
  const sources = Object.keys(volume).filter((member) => member !== "name");
  if (sources.length === 0) violations.required(path, "must specify a volume type");
  for (const extra of sources.slice(1)) {
    violations.forbidden(path.child(extra), "may not specify more than 1 volume type");
  }
  const { emptyDir, hostPath, secret, configMap, persistentVolumeClaim, projected, downwardAPI } = volume;
  if (emptyDir?.sizeLimit !== undefined) {
    checkQuantity(emptyDir.sizeLimit, path.child("emptyDir", "sizeLimit"), violations);
  }
  if (hostPath !== undefined) {
    const at = path.child("hostPath", "path");
    if ((hostPath.path ?? "") === "") violations.required(at);
    else if (hasParentStep(hostPath.path ?? "")) violations.invalid(at, hostPath.path, "must not contain '..'");
  }
  if (secret !== undefined) {
    const at = path.child("secret");
    required(secret.secretName, at.child("secretName"), violations);
    checkMode(secret.defaultMode, at.child("defaultMode"), violations);
    checkItems(secret.items ?? [], at.child("items"), violations);
  }
  if (configMap !== undefined) {
    const at = path.child("configMap");
    required(configMap.name, at.child("name"), violations);
    checkMode(configMap.defaultMode, at.child("defaultMode"), violations);
    checkItems(configMap.items ?? [], at.child("items"), violations);
  }
  if (persistentVolumeClaim !== undefined) {
    required(persistentVolumeClaim.claimName, path.child("persistentVolumeClaim", "claimName"), violations);
  }
  if (downwardAPI !== undefined) {
    checkMode(downwardAPI.defaultMode, path.child("downwardAPI", "defaultMode"), violations);
  }
  if (projected !== undefined) {
    const at = path.child("projected");
    checkMode(projected.defaultMode, at.child("defaultMode"), violations);
    for (const [index, source] of (projected.sources ?? []).entries()) {
      checkProjection(source, at.child("sources").index(index), violations);
    }
  }
}

function checkProjection(source: VolumeProjection, path: FieldPath, violations: Violations): void {
  const members = Object.keys(source);
  if (members.length === 0) violations.required(path, "must specify at least one volume projection type");
  for (const extra of members.slice(1)) {
    violations.forbidden(path.child(extra), "may not specify more than 1 volume type");
  }
  const { secret, configMap, serviceAccountToken: token } = source;
  if (secret !== undefined) {
    required(secret.name, path.child("secret", "name"), violations);
    checkItems(secret.items ?? [], path.child("secret", "items"), violations);
  }
  if (configMap !== undefined) {
    required(configMap.name, path.child("configMap", "name"), violations);
    checkItems(configMap.items ?? [], path.child("configMap", "items"), violations);
  }
  if (token === undefined) return;
  const at = path.child("serviceAccountToken");
  const { expirationSeconds = 3600, path: file = "" } = token;
  if (expirationSeconds < 600) {
    violations.invalid(
      at.child("expirationSeconds"),
      expirationSeconds,
      "may not specify a duration less than 10 minutes",
    );
  } else if (expirationSeconds > 2 ** 32) {
    violations.invalid(
      at.child("expirationSeconds"),
      expirationSeconds,
      "may not specify a duration larger than 2^32 seconds",
    );
  }
  if (file === "") violations.required(at.child("path"));
  else checkFile(file, at.child("path"), violations);
}

function required(value: string | undefined, path: FieldPath, violations: Violations): void {
  if (value === undefined || value === "") violations.required(path);
}

function checkMode(mode: number | undefined, path: FieldPath, violations: Violations): void {
  if (mode !== undefined && (mode < 0 || mode > MAX_MODE)) {
    violations.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive");
  }
}

function checkItems(items: readonly KeyToPath[], path: FieldPath, violations: Violations): void {
  for (const [index, item] of items.entries()) {
    const at = path.index(index);
    required(item.key, at.child("key"), violations);
    if ((item.path ?? "") === "") violations.required(at.child("path"));
    else checkFile(item.path ?? "", at.child("path"), violations);
    checkMode(item.mode, at.child("mode"), violations);
  }
}

/** A file below the volume's directory, out of the way of the links that make updates atomic (`..data`). */
function checkFile(file: string, path: FieldPath, violations: Violations): void {
  if (file.startsWith("/")) violations.invalid(path, file, "must be a relative path");
  if (hasParentStep(file)) violations.invalid(path, file, "must not contain '..'");
  else if (file.startsWith("..")) violations.invalid(path, file, "must not start with '..'");
}

function hasParentStep(file: string): boolean {
  return file.split("/").includes("..");
}
