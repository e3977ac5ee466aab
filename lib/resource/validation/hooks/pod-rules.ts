import type { Container, Pod, PodSpec, Toleration } from "../../../gen/k8s/core/v1.ts";
import { FieldPath } from "../../field-path.ts";
import { type JsonObject, type JsonValue, jsonEqual } from "../../json-value.ts";
import type { KindRules } from "../kind-rules.ts";
import type { Violations } from "../violations.ts";
import { checkImage } from "./container-rules.ts";
import { checkPodSpec } from "./pod-spec-rules.ts";
import { checkEphemeralUpdate, checkResize } from "./pod-subresource-rules.ts";

const specPath = FieldPath.of("spec");
const MAX_INT32 = 2_147_483_647;

/** What upstream's message lists, word for word, since people look for it. */
const updatable = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

export const podRules: KindRules<Pod> = {
  create({ spec = {} }, violations) {
    checkPodSpec(spec, specPath, violations);
    if (spec.ephemeralContainers !== undefined) {
      violations.forbidden(specPath.child("ephemeralContainers"), "cannot be set on create");
    }
  },
  update({ spec = {} }, { spec: old = {} }, violations) {
    checkContainerCounts(spec, old, violations);
    checkImages(spec, violations);
    checkDeadline(spec, old, violations);
    checkGates(spec, old, violations);
    checkTolerationsKept(spec.tolerations ?? [], old.tolerations ?? [], violations);
    checkRest(spec, old, violations);
  },
  subresource(name, pod, old, violations) {
    if (name === "ephemeralcontainers") checkEphemeralUpdate(pod, old, violations);
    else if (name === "resize") checkResize(pod, old, violations);
  },
};

function checkContainerCounts(spec: PodSpec, old: PodSpec, violations: Violations): void {
  for (const member of ["containers", "initContainers"] as const) {
    if ((spec[member] ?? []).length === (old[member] ?? []).length) continue;
    violations.forbidden(specPath.child(member), "pod updates may not add or remove containers");
  }
}

function checkImages(spec: PodSpec, violations: Violations): void {
  for (const member of ["containers", "initContainers"] as const) {
    for (const [index, container] of (spec[member] ?? []).entries()) {
      checkImage(container.image, specPath.child(member).index(index).child("image"), violations);
    }
  }
}

function checkDeadline(spec: PodSpec, old: PodSpec, violations: Violations): void {
  const path = specPath.child("activeDeadlineSeconds");
  const { activeDeadlineSeconds: seconds } = spec;
  const { activeDeadlineSeconds: before } = old;
  if (seconds === undefined) {
    if (before !== undefined) violations.invalid(path, null, "must not update from a positive integer to nil value");
  } else if (seconds < 0 || seconds > MAX_INT32) {
    violations.invalid(path, seconds, `must be between 0 and ${MAX_INT32}, inclusive`);
  } else if (before !== undefined && before < seconds) {
    violations.invalid(path, seconds, "must be less than or equal to previous value");
  }
}

function checkGates(spec: PodSpec, old: PodSpec, violations: Violations): void {
  const before = new Set((old.schedulingGates ?? []).map((gate) => gate.name ?? ""));
  for (const [index, { name = "" }] of (spec.schedulingGates ?? []).entries()) {
    if (before.has(name)) continue;
    const detail = `only deletion is allowed, but found new scheduling gate '${name}'`;
    violations.forbidden(specPath.child("schedulingGates").index(index), detail);
  }
}

function checkTolerationsKept(
  tolerations: readonly Toleration[],
  old: readonly Toleration[],
  violations: Violations,
): void {
  const withoutSeconds = ({ tolerationSeconds: _, ...rest }: Toleration): JsonObject => rest as JsonObject;
  const kept = old.every((before) => tolerations.some((now) => jsonEqual(withoutSeconds(now), withoutSeconds(before))));
  if (kept) return;
  const detail = "existing toleration can not be modified except its tolerationSeconds";
  violations.forbidden(specPath.child("tolerations"), detail);
}

/** Everything else stays: what may change is set to the old value in a copy, and the copy must equal the old spec. */
function checkRest(spec: PodSpec, old: PodSpec, violations: Violations): void {
  const allowed = { ...spec };
  for (const member of ["activeDeadlineSeconds", "tolerations", "schedulingGates"] as const) {
    keep(allowed, old, member);
  }
  if ((old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1) {
    keep(allowed, old, "terminationGracePeriodSeconds");
  }
  if ((old.schedulingGates ?? []).length > 0) keepWhileGated(allowed, spec, old);
  for (const member of ["containers", "initContainers"] as const) {
    const containers = spec[member];
    if (containers !== undefined) allowed[member] = withImagesOf(containers, old[member] ?? []);
  }
  const names = [...new Set([...Object.keys(allowed), ...Object.keys(old)])] as (keyof PodSpec)[];
  const changed = names.filter((name) => !jsonEqual(allowed[name] as JsonValue, old[name] as JsonValue)).sort();
  if (changed.length === 0) return;
  const fields = changed.map((name) => `  spec.${name}`).join("\n");
  violations.forbidden(specPath, `pod updates may not change fields other than ${updatable}\n${fields}\n`);
}

function keep<K extends keyof PodSpec>(allowed: PodSpec, old: PodSpec, member: K): void {
  if (old[member] === undefined) delete allowed[member];
  else allowed[member] = old[member];
}

/** A gated pod may still be narrowed to fewer nodes (KEP-3838). */
function keepWhileGated(allowed: PodSpec, spec: PodSpec, old: PodSpec): void {
  const selector = spec.nodeSelector ?? {};
  const added = Object.entries(old.nodeSelector ?? {}).every(([key, value]) => selector[key] === value);
  if (added) keep(allowed, old, "nodeSelector");
  if (old.affinity?.nodeAffinity === undefined) keep(allowed, old, "affinity");
}

function withImagesOf(containers: readonly Container[], old: readonly Container[]): Container[] {
  return containers.map((container, index) => {
    const image = old[index]?.image;
    const { image: _, ...rest } = container;
    return image === undefined ? rest : { ...rest, image };
  });
}
