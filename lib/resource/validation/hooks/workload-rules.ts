import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../../../gen/k8s/apps/v1.ts";
import type { PodTemplate, PodTemplateSpec, ReplicationController } from "../../../gen/k8s/core/v1.ts";
import type { LabelSelector } from "../../../gen/k8s/meta/v1.ts";
import { FieldPath } from "../../field-path.ts";
import { type JsonValue, jsonEqual } from "../../json-value.ts";
import { labelSelectorFromMap, labelSelectorFromObject } from "../../selector/label-selector.ts";
import type { KindRules } from "../kind-rules.ts";
import { checkAnnotations, checkLabels } from "../object-meta-rules.ts";
import { checkLabelSelector } from "../selector-rules.ts";
import type { Violations } from "../violations.ts";
import { checkPodSpec } from "./pod-spec-rules.ts";

const specPath = FieldPath.of("spec");

interface WorkloadSpec {
  readonly selector?: LabelSelector;
  readonly template?: PodTemplateSpec;
  readonly replicas?: number;
  readonly minReadySeconds?: number;
  readonly revisionHistoryLimit?: number;
}

/** `kind` as messages say it: `deployment`. */
function checkWorkload(spec: WorkloadSpec, kind: string, violations: Violations): void {
  for (const member of ["replicas", "minReadySeconds", "revisionHistoryLimit"] as const) {
    const value = spec[member] ?? 0;
    if (value < 0) violations.invalid(specPath.child(member), value, "must be greater than or equal to 0");
  }
  const selectorPath = specPath.child("selector");
  if (spec.selector === undefined) {
    violations.required(selectorPath);
  } else {
    const before = violations.causes.length;
    checkLabelSelector(spec.selector, selectorPath, violations);
    if (violations.causes.length === before) checkMatches(spec.selector, spec.template, kind, violations);
  }
  checkTemplate(spec.template ?? {}, kind, violations);
}

function checkMatches(
  selector: LabelSelector,
  template: PodTemplateSpec | undefined,
  kind: string,
  violations: Violations,
): void {
  const parsed = labelSelectorFromObject(selector);
  const labels = template?.metadata?.labels;
  if (parsed.isEverything) {
    violations.invalid(specPath.child("selector"), selector, `empty selector is invalid for ${kind}`);
  } else if (!parsed.matches(labels)) {
    const path = specPath.child("template", "metadata", "labels");
    violations.invalid(path, labels ?? {}, "`selector` does not match template `labels`");
  }
}

function checkTemplate(template: PodTemplateSpec, kind: string, violations: Violations): void {
  const path = specPath.child("template");
  checkPodTemplate(template, path, violations);
  const { restartPolicy = "", activeDeadlineSeconds } = template.spec ?? {};
  if (restartPolicy !== "" && restartPolicy !== "Always") {
    violations.notSupported(path.child("spec", "restartPolicy"), restartPolicy, ["Always"]);
  }
  if (activeDeadlineSeconds !== undefined) {
    const detail = `activeDeadlineSeconds in ${kind} is not Supported`;
    violations.forbidden(path.child("spec", "activeDeadlineSeconds"), detail);
  }
}

function checkPodTemplate(template: PodTemplateSpec, path: FieldPath, violations: Violations): void {
  checkLabels(template.metadata?.labels, path.child("metadata", "labels"), violations);
  checkAnnotations(template.metadata?.annotations, path.child("metadata", "annotations"), violations);
  checkPodSpec(template.spec ?? {}, path.child("spec"), violations);
  if (template.spec?.ephemeralContainers !== undefined) {
    violations.forbidden(path.child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template");
  }
}

/** `25%` or a number that is not negative. */
function checkAmount(value: number | string | undefined, path: FieldPath, violations: Violations): void {
  if (typeof value === "string") {
    if (!/^[0-9]+%$/.test(value)) {
      const detail =
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
      violations.invalid(path, value, detail);
    }
  } else if ((value ?? 0) < 0) {
    violations.invalid(path, value, "must be greater than or equal to 0");
  }
}

function isNothing(value: number | string | undefined): boolean {
  return value === undefined || value === 0 || value === "0%";
}

export const deploymentRules: KindRules<Deployment> = {
  object({ spec = {} }, violations) {
    checkWorkload(spec, "deployment", violations);
    checkStrategy(spec, violations);
    const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
    if (deadline === undefined) return;
    const path = specPath.child("progressDeadlineSeconds");
    if (deadline < 0) violations.invalid(path, deadline, "must be greater than or equal to 0");
    if (deadline <= minReadySeconds) violations.invalid(path, deadline, "must be greater than minReadySeconds");
  },
};

function checkStrategy({ strategy = {} }: NonNullable<Deployment["spec"]>, violations: Violations): void {
  const path = specPath.child("strategy");
  const { type, rollingUpdate } = strategy;
  if (type === "Recreate") {
    if (rollingUpdate !== undefined) {
      violations.forbidden(path.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'");
    }
  } else if (rollingUpdate === undefined) {
    violations.required(path.child("rollingUpdate"), "this should be defaulted and never be nil");
  } else {
    const at = path.child("rollingUpdate");
    const { maxUnavailable, maxSurge } = rollingUpdate;
    checkAmount(maxUnavailable, at.child("maxUnavailable"), violations);
    checkAmount(maxSurge, at.child("maxSurge"), violations);
    if (isNothing(maxUnavailable) && isNothing(maxSurge)) {
      violations.invalid(at.child("maxUnavailable"), maxUnavailable ?? 0, "may not be 0 when `maxSurge` is 0");
    }
    if (typeof maxUnavailable === "string" && Number.parseInt(maxUnavailable, 10) > 100) {
      violations.invalid(at.child("maxUnavailable"), maxUnavailable, "must not be greater than 100%");
    }
  }
}

export const replicaSetRules: KindRules<ReplicaSet> = {
  object({ spec = {} }, violations) {
    checkWorkload(spec, "replica set", violations);
  },
};

export const daemonSetRules: KindRules<DaemonSet> = {
  object({ spec = {} }, violations) {
    checkWorkload(spec, "daemonset", violations);
    const { type, rollingUpdate } = spec.updateStrategy ?? {};
    if (type !== "RollingUpdate") return;
    const path = specPath.child("updateStrategy", "rollingUpdate");
    if (rollingUpdate === undefined) {
      violations.required(path);
      return;
    }
    checkAmount(rollingUpdate.maxUnavailable, path.child("maxUnavailable"), violations);
    checkAmount(rollingUpdate.maxSurge, path.child("maxSurge"), violations);
    if (isNothing(rollingUpdate.maxUnavailable) && isNothing(rollingUpdate.maxSurge)) {
      violations.required(path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0");
    }
  },
};

/** Everything else of a StatefulSet is for its whole life. */
const statefulSetMutable = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];

export const statefulSetRules: KindRules<StatefulSet> = {
  object({ spec = {} }, violations) {
    checkWorkload(spec, "statefulset", violations);
    const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    if (partition < 0) {
      const path = specPath.child("updateStrategy", "rollingUpdate", "partition");
      violations.invalid(path, partition, "must be greater than or equal to 0");
    }
  },
  update({ spec = {} }, { spec: old = {} }, violations) {
    const names = [...new Set([...Object.keys(spec), ...Object.keys(old)])] as (keyof typeof spec)[];
    const changed = names.some(
      (name) => !statefulSetMutable.includes(name) && !jsonEqual(spec[name] as JsonValue, old[name] as JsonValue),
    );
    if (!changed) return;
    const listed = statefulSetMutable.map((name) => `'${name}'`);
    const detail = `updates to statefulset spec for fields other than ${listed.slice(0, -1).join(", ")} and ${listed.at(-1)} are forbidden`;
    violations.forbidden(specPath, detail);
  },
};

export const replicationControllerRules: KindRules<ReplicationController> = {
  object({ spec = {} }, violations) {
    const { selector = {}, template } = spec;
    if (Object.keys(selector).length === 0) violations.required(specPath.child("selector"));
    if (template === undefined) {
      violations.required(specPath.child("template"));
      return;
    }
    if (!labelSelectorFromMap(selector).matches(template.metadata?.labels)) {
      const path = specPath.child("template", "metadata", "labels");
      violations.invalid(path, template.metadata?.labels ?? {}, "`selector` does not match template `labels`");
    }
    checkTemplate(template, "replication controller", violations);
  },
};

export const podTemplateRules: KindRules<PodTemplate> = {
  object({ template = {} }, violations) {
    checkPodTemplate(template, FieldPath.of("template"), violations);
  },
};

export const controllerRevisionRules: KindRules<ControllerRevision> = {
  object({ data, revision = 0 }, violations) {
    if (data === undefined || data.isNull) violations.required(FieldPath.of("data"), "data is mandatory");
    if (revision < 0) violations.invalid(FieldPath.of("revision"), revision, "must be greater than or equal to 0");
  },
};
