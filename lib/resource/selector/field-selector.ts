import { SelectorError } from "./selector-error.ts";

/** One condition on one field; the field is named by a dotted JSON path or by a label that the kind maps to one. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** All requirements must hold; none means everything. */
export class FieldSelector {
  static readonly everything: FieldSelector = new FieldSelector([]);

  readonly requirements: readonly FieldRequirement[];

  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
  }

  get isEverything(): boolean {
    return this.requirements.length === 0;
  }

  /** `textOf` gives the text of a field, empty where the object has none. */
  matches(textOf: (field: string) => string): boolean {
    return this.requirements.every(
      (requirement) => (textOf(requirement.field) === requirement.value) === (requirement.operator === "="),
    );
  }

  /** The value that a field must equal, where the selector fixes one: `metadata.name=x` makes a list a look-up. */
  exactValue(field: string): string | undefined {
    return this.requirements.find((requirement) => requirement.field === field && requirement.operator === "=")?.value;
  }

  /** Renames or refuses fields; `rename` throws what the server answers. */
  mapFields(rename: (field: string) => string): FieldSelector {
    return new FieldSelector(
      this.requirements.map((requirement) => ({ ...requirement, field: rename(requirement.field) })),
    );
  }

  /** The canonical text; parsing it gives an equal selector. */
  toString(): string {
    return this.requirements
      .map((requirement) => `${requirement.field}${requirement.operator}${escapeFieldValue(requirement.value)}`)
      .join(",");
  }
}

export function escapeFieldValue(value: string): string {
  return value.replace(/[\\,=]/g, "\\$&");
}

/**
 * Reads `a=b,c!=d,e==f`; `\\`, `\,` and `\=` stand for the character in a value. Throws SelectorError.
 * Source of grammar and texts: kubernetes/apimachinery:pkg/fields.
 */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text)) {
    if (term === "") continue;
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (match === null) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    const operator = match[2] === "!=" ? "!=" : "=";
    requirements.push({ field: match[1] ?? "", operator, value: unescapeValue(match[3] ?? "") });
  }
  return requirements.length === 0 ? FieldSelector.everything : new FieldSelector(requirements);
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === ",") {
      terms.push(text.slice(start, index));
      start = index + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function unescapeValue(value: string): string {
  return value.replace(/\\([\s\S]?)|=/g, (sequence, escaped: string | undefined) => {
    if (escaped === undefined) throw new SelectorError("invalid field selector: unescaped character in value: 61");
    if (escaped === "\\" || escaped === "," || escaped === "=") return escaped;
    throw new SelectorError(`invalid field selector: invalid escape sequence: ${sequence}`);
  });
}

/**
 * The text of a field by dotted path (`spec.nodeName`) as selectors compare it: a missing string is empty, a boolean
 * `true` or `false`, a number in decimal.
 */
export function fieldText(object: object, path: string): string {
  let value: unknown = object;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return "";
    value = (value as Record<string, unknown>)[name];
  }
  return typeof value === "object" || value === undefined ? "" : String(value);
}
