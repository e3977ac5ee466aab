import type { NodeSelectorRequirement, NodeSelectorTerm } from "../../../lib/gen/k8s/core/v1.ts";
import type { NodeEntry } from "../nodes/node-table.ts";

/** All expressions and fields must hold; a term without any matches nothing (API reference of NodeSelectorTerm). */
export function matchesTerm(term: NodeSelectorTerm, entry: NodeEntry): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  const labels = entry.node?.metadata?.labels ?? {};
  return (
    expressions.every((requirement) => matches(requirement, labelOf(labels, requirement.key ?? ""))) &&
    fields.every((requirement) => requirement.key === "metadata.name" && matches(requirement, entry.name))
  );
}

export function labelOf(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

const INTEGER = /^[+-]?\d{1,18}$/;

function matches(requirement: NodeSelectorRequirement, value: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      const bound = values[0] ?? "";
      if (value === undefined || !INTEGER.test(value) || !INTEGER.test(bound)) return false;
      return requirement.operator === "Gt" ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      return false;
  }
}
