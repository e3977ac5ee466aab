import { formatTime } from "../../../lib/core/clock.ts";
import type { NamespaceCondition } from "../../../lib/gen/k8s/core/v1.ts";
import type { ContentOutcome } from "./namespace-content.ts";

/**
 * The conditions of a namespace that is being deleted; types and reasons are upstream's, since people and tools read them.
 * Source: kubernetes/pkg/controller/namespace/deletion/status_condition_utils.go.
 */
export function conditionsAfter(
  outcome: ContentOutcome,
  before: readonly NamespaceCondition[],
  nowMs: number,
): NamespaceCondition[] {
  const ours = [
    condition(
      "NamespaceDeletionDiscoveryFailure",
      undefined,
      "ResourcesDiscovered",
      "All resources successfully discovered",
    ),
    condition(
      "NamespaceDeletionGroupVersionParsingFailure",
      undefined,
      "ParsedGroupVersions",
      "All legacy kube types successfully parsed",
    ),
    outcome.errors.length > 0
      ? condition("NamespaceDeletionContentFailure", "ContentDeletionFailed", "", failureText(outcome))
      : condition(
          "NamespaceDeletionContentFailure",
          undefined,
          "ContentDeleted",
          "All content successfully deleted, may be waiting on finalization",
        ),
    outcome.remaining.size > 0
      ? condition("NamespaceContentRemaining", "SomeResourcesRemain", "", remainingText(outcome))
      : condition("NamespaceContentRemaining", undefined, "ContentRemoved", "All content successfully removed"),
    outcome.finalizers.size > 0
      ? condition("NamespaceFinalizersRemaining", "SomeFinalizersRemain", "", finalizersText(outcome))
      : condition(
          "NamespaceFinalizersRemaining",
          undefined,
          "ContentHasNoFinalizers",
          "All content-preserving finalizers finished",
        ),
  ];
  const foreign = before.filter((old) => !ours.some((own) => own.type === old.type));
  return [...foreign, ...ours.map((own) => dated(own, before, nowMs))];
}

export function sameConditions(a: readonly NamespaceCondition[], b: readonly NamespaceCondition[]): boolean {
  const text = (conditions: readonly NamespaceCondition[]) =>
    JSON.stringify(conditions.map(({ type, status, reason, message }) => [type, status, reason, message]));
  return text(a) === text(b);
}

function condition(
  type: string,
  trueReason: string | undefined,
  falseReason: string,
  message: string,
): NamespaceCondition {
  return trueReason === undefined
    ? { type, status: "False", reason: falseReason, message }
    : { type, status: "True", reason: trueReason, message };
}

function dated(own: NamespaceCondition, before: readonly NamespaceCondition[], nowMs: number): NamespaceCondition {
  const old = before.find((candidate) => candidate.type === own.type && candidate.status === own.status);
  return { ...own, lastTransitionTime: old?.lastTransitionTime ?? formatTime(nowMs) };
}

function failureText(outcome: ContentOutcome): string {
  return `Failed to delete all resource types, ${outcome.errors.length} remaining: ${outcome.errors[0]?.message ?? ""}`;
}

function remainingText(outcome: ContentOutcome): string {
  const parts = [...outcome.remaining].sort().map(([resource, count]) => `${resource} has ${count} resource instances`);
  return `Some resources are remaining: ${parts.join(", ")}`;
}

function finalizersText(outcome: ContentOutcome): string {
  const parts = [...outcome.finalizers].sort().map(([name, count]) => `${name} in ${count} resource instances`);
  return `Some content in the namespace has finalizers remaining: ${parts.join(", ")}`;
}
