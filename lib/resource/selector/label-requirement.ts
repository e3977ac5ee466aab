import { labelValueProblems, qualifiedNameProblems } from "../validation/name-format.ts";
import { SelectorError } from "./selector-error.ts";

export type LabelOperator = "=" | "!=" | "in" | "notin" | "exists" | "!" | ">" | "<";

/** One condition on one label. `values` is sorted; it is empty for `exists` and `!`, one value for `=`, `!=`, `>`, `<`. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** Labels as the normal form has them; absent is none. */
export type Labels = Readonly<Record<string, string>> | undefined;

const INT64_MAX = 2n ** 63n - 1n;

/**
 * Checks and builds; throws SelectorError.
 * Source of rules and texts: kubernetes/apimachinery:pkg/labels (NewRequirement).
 */
export function labelRequirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const problems: string[] = [];
  const keyProblems = qualifiedNameProblems(key);
  if (keyProblems.length > 0) problems.push(`key: Invalid value: ${JSON.stringify(key)}: ${keyProblems.join("; ")}`);
  const countProblem = valueCountProblem(operator, values);
  if (countProblem !== undefined) problems.push(`values: Invalid value: ${JSON.stringify(values)}: ${countProblem}`);
  values.forEach((value, index) => {
    const shown = `Invalid value: ${JSON.stringify(value)}`;
    if ((operator === ">" || operator === "<") && parseInteger(value) === undefined) {
      problems.push(`values[${index}]: ${shown}: for 'Gt', 'Lt' operators, the value must be an integer`);
    }
    const valueProblems = labelValueProblems(value);
    if (valueProblems.length > 0) problems.push(`values[${index}][${key}]: ${shown}: ${valueProblems.join("; ")}`);
  });
  if (problems.length > 0) throw new SelectorError(problems.length === 1 ? problems[0]! : `[${problems.join(", ")}]`);
  return { key, operator, values: [...new Set(values)].sort() };
}

function valueCountProblem(operator: LabelOperator, values: readonly string[]): string | undefined {
  switch (operator) {
    case "in":
    case "notin":
      return values.length === 0 ? "for 'in', 'notin' operators, values set can't be empty" : undefined;
    case "=":
    case "!=":
      return values.length === 1 ? undefined : "exact-match compatibility requires one single value";
    case "exists":
    case "!":
      return values.length === 0 ? undefined : "values set must be empty for exists and does not exist";
    default:
      return values.length === 1 ? undefined : "for 'Gt', 'Lt' operators, exactly one value is required";
  }
}

function parseInteger(text: string): bigint | undefined {
  if (!/^[-+]?[0-9]{1,30}$/.test(text)) return undefined;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return value <= INT64_MAX && value >= -INT64_MAX - 1n ? value : undefined;
}

export function matchesRequirement(requirement: LabelRequirement, labels: Labels): boolean {
  const { key, operator, values } = requirement;
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "=":
      return value === values[0];
    case "in":
      return value !== undefined && values.includes(value);
    case "!=":
      return value !== values[0];
    case "notin":
      return value === undefined || !values.includes(value);
    case "exists":
      return value !== undefined;
    case "!":
      return value === undefined;
    default: {
      const number = value === undefined ? undefined : parseInteger(value);
      const bound = parseInteger(values[0] ?? "");
      if (number === undefined || bound === undefined) return false;
      return operator === ">" ? number > bound : number < bound;
    }
  }
}

export function requirementText(requirement: LabelRequirement): string {
  const { key, operator, values } = requirement;
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${values.join(",")})`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}
