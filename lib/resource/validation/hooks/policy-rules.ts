import type { Lease } from "../../../gen/k8s/coordination/v1.ts";
import type { Event as CoreEvent } from "../../../gen/k8s/core/v1.ts";
import type { Event } from "../../../gen/k8s/events/v1.ts";
import type { PodDisruptionBudget } from "../../../gen/k8s/policy/v1.ts";
import type { PriorityClass } from "../../../gen/k8s/scheduling/v1.ts";
import { FieldPath } from "../../field-path.ts";
import type { KindRules } from "../kind-rules.ts";
import { qualifiedNameProblems } from "../name-format.ts";
import { checkLabelSelector } from "../selector-rules.ts";
import type { Violations } from "../violations.ts";

const MAX_USER_PRIORITY = 1_000_000_000;
const systemClasses: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};

export const priorityClassRules: KindRules<PriorityClass> = {
  object({ metadata, value = 0 }, violations) {
    const name = metadata?.name ?? "";
    if (name.startsWith("system-")) {
      if (systemClasses[name] === value) return;
      const detail = "priority class names with 'system-' prefix are reserved for system use only. error: ";
      violations.forbidden(FieldPath.of("metadata.name"), `${detail}${name} is not a known system priority class`);
    } else if (value > MAX_USER_PRIORITY) {
      const detail = `maximum allowed value of a user defined priority is ${MAX_USER_PRIORITY}`;
      violations.forbidden(FieldPath.of("value"), detail);
    }
  },
};

export const leaseRules: KindRules<Lease> = {
  object({ spec = {} }, violations) {
    const path = FieldPath.of("spec");
    const { leaseDurationSeconds: duration, leaseTransitions: transitions = 0, holderIdentity } = spec;
    if (duration !== undefined && duration <= 0) {
      violations.invalid(path.child("leaseDurationSeconds"), duration, "must be greater than 0");
    }
    if (transitions < 0) {
      violations.invalid(path.child("leaseTransitions"), transitions, "must be greater than or equal to 0");
    }
    if (holderIdentity === "") violations.invalid(path.child("holderIdentity"), "", "must not be empty");
    const { strategy, preferredHolder } = spec;
    if (strategy !== undefined)
      violations.invalidEach(path.child("strategy"), strategy, qualifiedNameProblems(strategy));
    if (preferredHolder !== undefined && preferredHolder !== "" && strategy === undefined) {
      violations.forbidden(path.child("preferredHolder"), "may only be specified when `strategy` is defined");
    }
  },
};

/** An event stands in the namespace of what it tells of; those of cluster-scoped objects in `default` or `kube-system`. */
function checkPlace(eventNamespace: string, objectNamespace: string, path: FieldPath, violations: Violations): void {
  const ofCluster = objectNamespace === "" && ["default", "kube-system"].includes(eventNamespace);
  if (ofCluster || objectNamespace === eventNamespace) return;
  violations.invalid(path, objectNamespace, "does not match event.namespace");
}

export const coreEventRules: KindRules<CoreEvent> = {
  object({ metadata, involvedObject }, violations) {
    const path = FieldPath.of("involvedObject.namespace");
    checkPlace(metadata?.namespace ?? "", involvedObject?.namespace ?? "", path, violations);
  },
};

const TEXT_LIMIT = 128;
const NOTE_LIMIT_BYTES = 1024;

export const eventRules: KindRules<Event> = {
  object({ metadata, regarding }, violations) {
    const path = FieldPath.of("regarding.namespace");
    checkPlace(metadata?.namespace ?? "", regarding?.namespace ?? "", path, violations);
  },
  create(event, violations) {
    const { reportingController = "", reportingInstance = "", action = "", reason = "", type = "", note = "" } = event;
    if (event.eventTime === undefined) violations.required(FieldPath.of("eventTime"));
    if (reportingController === "") violations.required(FieldPath.of("reportingController"));
    else {
      const problems = qualifiedNameProblems(reportingController);
      violations.invalidEach(FieldPath.of("reportingController"), reportingController, problems);
    }
    for (const [member, text] of Object.entries({ reportingInstance, action, reason })) {
      const path = FieldPath.of(member);
      if (text === "") violations.required(path);
      else if (text.length > TEXT_LIMIT) violations.invalid(path, "", `can have at most ${TEXT_LIMIT} characters`);
    }
    if (type !== "Normal" && type !== "Warning") {
      violations.invalid(FieldPath.of("type"), "", `has invalid value: ${type}`);
    }
    if (Buffer.byteLength(note) > NOTE_LIMIT_BYTES) {
      violations.invalid(FieldPath.of("note"), "", `can have at most ${NOTE_LIMIT_BYTES} characters`);
    }
    const count = event.series?.count ?? 2;
    if (count < 2) violations.invalid(FieldPath.of("series.count"), count, "should be at least 2");
  },
};

export const podDisruptionBudgetRules: KindRules<PodDisruptionBudget> = {
  object({ spec = {} }, violations) {
    const path = FieldPath.of("spec");
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
      violations.invalid(path, spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for (const member of ["minAvailable", "maxUnavailable"] as const) {
      const amount = spec[member];
      if (typeof amount === "number" && amount < 0) {
        violations.invalid(path.child(member), amount, "must be greater than or equal to 0");
      } else if (typeof amount === "string" && (!/^[0-9]+%$/.test(amount) || Number.parseInt(amount, 10) > 100)) {
        violations.invalid(path.child(member), amount, "must not be greater than 100%");
      }
    }
    checkLabelSelector(spec.selector, path.child("selector"), violations);
  },
};
