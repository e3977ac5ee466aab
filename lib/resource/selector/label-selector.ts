import {
  type LabelOperator,
  type LabelRequirement,
  type Labels,
  labelRequirement,
  matchesRequirement,
  requirementText,
} from "./label-requirement.ts";
import { SelectorError } from "./selector-error.ts";

/** All requirements must hold; none means everything, and `nothing` matches no object whatever it carries. */
export class LabelSelector {
  static readonly everything: LabelSelector = new LabelSelector([]);
  static readonly nothing: LabelSelector = new LabelSelector([], true);

  /** Sorted by key. */
  readonly requirements: readonly LabelRequirement[];
  readonly #nothing: boolean;

  constructor(requirements: readonly LabelRequirement[], nothing = false) {
    this.requirements = [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.#nothing = nothing;
  }

  /** True when every object matches, so that nothing need be looked at. */
  get isEverything(): boolean {
    return !this.#nothing && this.requirements.length === 0;
  }

  matches(labels: Labels): boolean {
    if (this.#nothing) return false;
    return this.requirements.every((requirement) => matchesRequirement(requirement, labels));
  }

  /** The canonical text; parsing it gives an equal selector. */
  toString(): string {
    return this.requirements.map(requirementText).join(",");
  }
}

/** The message `LabelSelector` of meta/v1. */
export interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key?: string;
    readonly operator?: string;
    readonly values?: readonly string[];
  }[];
}

const objectOperators: Readonly<Record<string, LabelOperator>> = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
};

/** Absent selects nothing, empty selects everything (API convention). Throws SelectorError. */
export function labelSelectorFromObject(object: LabelSelectorObject | undefined): LabelSelector {
  if (object === undefined) return LabelSelector.nothing;
  const requirements = Object.entries(object.matchLabels ?? {}).map(([key, value]) =>
    labelRequirement(key, "=", [value]),
  );
  for (const expression of object.matchExpressions ?? []) {
    const name = expression.operator ?? "";
    const operator = Object.hasOwn(objectOperators, name) ? objectOperators[name] : undefined;
    if (operator === undefined)
      throw new SelectorError(`${JSON.stringify(name)} is not a valid label selector operator`);
    requirements.push(labelRequirement(expression.key ?? "", operator, expression.values ?? []));
  }
  return new LabelSelector(requirements);
}

/** A plain map as a selector, as Services and ReplicationControllers have it; values are taken as they are. */
export function labelSelectorFromMap(labels: Labels): LabelSelector {
  return new LabelSelector(
    Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: "=", values: [value] })),
  );
}
