import type { Binding, ConfigMap, Namespace, Node, Secret } from "../../../gen/k8s/core/v1.ts";
import { FieldPath } from "../../field-path.ts";
import { type JsonObject, type JsonValue, jsonEqual } from "../../json-value.ts";
import type { KindRules } from "../kind-rules.ts";
import { configKeyProblems, dnsSubdomainProblems, labelValueProblems, qualifiedNameProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";

/** Of all values of a ConfigMap or Secret. */
const DATA_LIMIT_BYTES = 1024 * 1024;
const dataPath = FieldPath.of("data");

type TextMap = Readonly<Record<string, string>>;

function base64SizeBytes(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}

function checkKeys(data: TextMap | undefined, path: FieldPath, violations: Violations): void {
  for (const key of Object.keys(data ?? {})) violations.invalidEach(path.key(key), key, configKeyProblems(key));
}

/** What is immutable once `immutable` is true, and `immutable` itself. */
function checkFrozen(object: object, old: object, members: readonly string[], violations: Violations): void {
  const before = old as JsonObject;
  const now = object as JsonObject;
  if (before["immutable"] !== true) return;
  if (now["immutable"] !== true) {
    violations.forbidden(FieldPath.of("immutable"), "field is immutable when `immutable` is set");
  }
  for (const member of members) {
    if (jsonEqual(now[member] as JsonValue, before[member] as JsonValue)) continue;
    violations.forbidden(FieldPath.of(member), "field is immutable when `immutable` is set");
  }
}

export const configMapRules: KindRules<ConfigMap> = {
  object({ data, binaryData }, violations) {
    checkKeys(data, dataPath, violations);
    checkKeys(binaryData, FieldPath.of("binaryData"), violations);
    for (const key of Object.keys(binaryData ?? {})) {
      if (Object.hasOwn(data ?? {}, key)) {
        violations.invalid(dataPath.key(key), key, "duplicate of key present in binaryData");
      }
    }
    let sizeBytes = 0;
    for (const value of Object.values(data ?? {})) sizeBytes += Buffer.byteLength(value);
    for (const value of Object.values(binaryData ?? {})) sizeBytes += base64SizeBytes(value);
    if (sizeBytes > DATA_LIMIT_BYTES) violations.tooLong(FieldPath.root, DATA_LIMIT_BYTES);
  },
  update(object, old, violations) {
    checkFrozen(object, old, ["data", "binaryData"], violations);
  },
};

/** Keys that a Secret of a type must have. */
const secretKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ["kubernetes.io/dockercfg", [".dockercfg"]],
  ["kubernetes.io/dockerconfigjson", [".dockerconfigjson"]],
  ["kubernetes.io/ssh-auth", ["ssh-privatekey"]],
  ["kubernetes.io/tls", ["tls.crt", "tls.key"]],
]);

export const secretRules: KindRules<Secret> = {
  object(secret, violations) {
    const { data = {}, type = "" } = secret;
    checkKeys(data, dataPath, violations);
    let sizeBytes = 0;
    for (const value of Object.values(data)) sizeBytes += base64SizeBytes(value);
    if (sizeBytes > DATA_LIMIT_BYTES) violations.tooLong(dataPath, DATA_LIMIT_BYTES);
    for (const key of secretKeys.get(type) ?? []) {
      if (!Object.hasOwn(data, key)) violations.required(dataPath.key(key));
    }
    if (type.startsWith("kubernetes.io/dockerc")) checkDockerConfig(secret, violations);
    if (type === "kubernetes.io/basic-auth" && !Object.hasOwn(data, "username") && !Object.hasOwn(data, "password")) {
      violations.required(dataPath.key("username"));
      violations.required(dataPath.key("password"));
    }
    if (type === "kubernetes.io/service-account-token") {
      const annotation = "kubernetes.io/service-account.name";
      const path = FieldPath.of("metadata.annotations").key(annotation);
      if ((secret.metadata?.annotations?.[annotation] ?? "") === "") violations.required(path);
    }
  },
  update(object, old, violations) {
    checkFrozen(object, old, ["data"], violations);
  },
};

function checkDockerConfig({ data = {}, type = "" }: Secret, violations: Violations): void {
  const key = secretKeys.get(type)?.[0] ?? "";
  const encoded = data[key];
  if (encoded === undefined) return;
  try {
    JSON.parse(Buffer.from(encoded, "base64").toString());
  } catch {
    violations.invalid(dataPath.key(key), "<secret contents redacted>", "invalid character in JSON");
  }
}

export const namespaceRules: KindRules<Namespace> = {
  object({ spec }, violations) {
    for (const finalizer of spec?.finalizers ?? []) checkFinalizer(finalizer, violations);
  },
  subresource(name, { metadata, spec, status }, _old, violations) {
    if (name === "finalize") {
      for (const finalizer of spec?.finalizers ?? []) checkFinalizer(finalizer, violations);
    } else if (metadata?.deletionTimestamp === undefined && status?.phase !== undefined && status.phase !== "Active") {
      const detail = "may only be 'Active' if `deletionTimestamp` is empty";
      violations.invalid(FieldPath.of("status.Phase"), status.phase, detail);
    } else if (metadata?.deletionTimestamp !== undefined && status?.phase !== "Terminating") {
      const detail = "may only be 'Terminating' if `deletionTimestamp` is not empty";
      violations.invalid(FieldPath.of("status.Phase"), status?.phase ?? "", detail);
    }
  },
};

function checkFinalizer(finalizer: string, violations: Violations): void {
  const path = FieldPath.of("spec.finalizers");
  violations.invalidEach(path, finalizer, qualifiedNameProblems(finalizer));
  if (!finalizer.includes("/") && finalizer !== "kubernetes") {
    violations.invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified");
  }
}

export const nodeRules: KindRules<Node> = {
  object({ spec = {} }, violations) {
    const path = FieldPath.of("spec.taints");
    const seen = new Set<string>();
    for (const [index, { key = "", value = "", effect = "" }] of (spec.taints ?? []).entries()) {
      const at = path.index(index);
      violations.invalidEach(at.child("key"), key, qualifiedNameProblems(key));
      violations.invalidEach(at.child("value"), value, labelValueProblems(value));
      if (effect === "") violations.required(at.child("effect"));
      if (seen.has(`${key}:${effect}`)) violations.duplicate(at, { key, value, effect });
      seen.add(`${key}:${effect}`);
    }
  },
  update({ spec = {} }, { spec: old = {} }, violations) {
    if ((old.podCIDRs ?? []).length > 0 && !jsonEqual(spec.podCIDRs, old.podCIDRs)) {
      const detail = 'node updates may not change podCIDR except from "" to valid';
      violations.forbidden(FieldPath.of("spec.podCIDRs"), detail);
    }
    if (old.providerID !== undefined && spec.providerID !== old.providerID) {
      const detail = 'node updates may not change providerID except from "" to valid';
      violations.forbidden(FieldPath.of("spec.providerID"), detail);
    }
  },
};

export const bindingRules: KindRules<Binding> = {
  object({ target = {} }, violations) {
    const { kind = "", name = "" } = target;
    if (kind !== "" && kind !== "Node") violations.notSupported(FieldPath.of("target.kind"), kind, ["Node", "<empty>"]);
    if (name === "") violations.required(FieldPath.of("target.name"));
    else violations.invalidEach(FieldPath.of("target.name"), name, dnsSubdomainProblems(name));
  },
};
