import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from "../../../lib/gen/k8s/core/v1.ts";
import { type LabelRequirement, labelRequirement } from "../../../lib/resource/selector/label-requirement.ts";
import { LabelSelector, labelSelectorFromObject } from "../../../lib/resource/selector/label-selector.ts";

type Labels = Readonly<Record<string, string>>;

/** Labels of a namespace, as far as they are known. */
export type NamespaceLabels = (namespace: string) => Labels | undefined;

/** Other pods by labels and namespace, in one place by a label of the nodes. */
export interface PodTerm {
  readonly topologyKey: string;
  readonly weight: number;
  readonly selector: LabelSelector;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: LabelSelector;
}

export interface SpreadTerm {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly isRequired: boolean;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
  readonly selector: LabelSelector;
}

/** What a pod says about where other pods are. */
export interface PodTerms {
  readonly affinity: readonly PodTerm[];
  readonly antiAffinity: readonly PodTerm[];
  /** Negative weights keep away. */
  readonly preferred: readonly PodTerm[];
  readonly spread: readonly SpreadTerm[];
}

export function podTermsOf(pod: Pod): PodTerms | undefined {
  const { affinity, topologySpreadConstraints = [] } = pod.spec ?? {};
  const { podAffinity, podAntiAffinity } = affinity ?? {};
  if (podAffinity === undefined && podAntiAffinity === undefined && topologySpreadConstraints.length === 0)
    return undefined;
  const required = (terms: readonly PodAffinityTerm[] = []) => terms.map((term) => podTerm(term, pod, 0));
  const preferred = (sign: 1 | -1, of: typeof podAffinity) =>
    (of?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm = {}, weight = 0 }) =>
      podTerm(podAffinityTerm, pod, sign * weight),
    );
  return {
    affinity: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    antiAffinity: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferred: [...preferred(1, podAffinity), ...preferred(-1, podAntiAffinity)],
    spread: topologySpreadConstraints.map((constraint) => spreadTerm(constraint, pod)),
  };
}

/** Whether the term, written by a pod of its own namespaces, means this pod. */
export function termMatches(term: PodTerm, pod: Pod, labelsOf: NamespaceLabels): boolean {
  const namespace = pod.metadata?.namespace ?? "";
  const inNamespace =
    term.namespaces.has(namespace) ||
    term.namespaceSelector.isEverything ||
    term.namespaceSelector.matches(labelsOf(namespace));
  return inNamespace && term.selector.matches(pod.metadata?.labels);
}

/** Without namespaces and without a selector of them, the pod's own namespace is meant (API reference). */
function podTerm(term: PodAffinityTerm, pod: Pod, weight: number): PodTerm {
  const named = term.namespaces ?? [];
  const isOwn = named.length === 0 && term.namespaceSelector === undefined;
  return {
    topologyKey: term.topologyKey ?? "",
    weight,
    selector: withKeys(labelSelectorFromObject(term.labelSelector), pod, term.matchLabelKeys, term.mismatchLabelKeys),
    namespaces: new Set(isOwn ? [pod.metadata?.namespace ?? ""] : named),
    namespaceSelector: labelSelectorFromObject(term.namespaceSelector),
  };
}

function spreadTerm(constraint: TopologySpreadConstraint, pod: Pod): SpreadTerm {
  return {
    topologyKey: constraint.topologyKey ?? "",
    maxSkew: constraint.maxSkew ?? 1,
    minDomains: constraint.minDomains ?? 1,
    isRequired: constraint.whenUnsatisfiable !== "ScheduleAnyway",
    honorsAffinity: constraint.nodeAffinityPolicy !== "Ignore",
    honorsTaints: constraint.nodeTaintsPolicy === "Honor",
    selector: withKeys(labelSelectorFromObject(constraint.labelSelector), pod, constraint.matchLabelKeys, undefined),
  };
}

/** KEP-3633 and KEP-3243: the pod's own values of these labels belong to the selector; a label it lacks is left out. */
function withKeys(
  selector: LabelSelector,
  pod: Pod,
  same: readonly string[] = [],
  other: readonly string[] = [],
): LabelSelector {
  const labels = pod.metadata?.labels ?? {};
  const extra: LabelRequirement[] = [
    ...same.filter((key) => Object.hasOwn(labels, key)).map((key) => labelRequirement(key, "in", [labels[key] ?? ""])),
    ...other
      .filter((key) => Object.hasOwn(labels, key))
      .map((key) => labelRequirement(key, "notin", [labels[key] ?? ""])),
  ];
  if (extra.length === 0 || selector === LabelSelector.nothing) return selector;
  return new LabelSelector([...selector.requirements, ...extra]);
}
