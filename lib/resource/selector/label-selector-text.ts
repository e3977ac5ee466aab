import { type LabelOperator, type LabelRequirement, labelRequirement } from "./label-requirement.ts";
import { LabelSelector } from "./label-selector.ts";
import { SelectorError } from "./selector-error.ts";

interface Token {
  readonly kind: "identifier" | "symbol" | "end";
  readonly text: string;
}

const END: Token = { kind: "end", text: "" };
const tokenForm = /[ \t\r\n]*(?:([=!<>]+|[(),])|([^ \t\r\n=!<>(),]+))?/y;
const symbols = new Set(["=", "==", "!=", "!", ">", "<", "(", ")", ","]);

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  tokenForm.lastIndex = 0;
  while (tokenForm.lastIndex < text.length) {
    const match = tokenForm.exec(text);
    if (match === null) break;
    if (match[2] !== undefined) tokens.push({ kind: "identifier", text: match[2] });
    else if (match[1] !== undefined) tokens.push(...symbolTokens(match[1]));
    else break;
  }
  return tokens;
}

/** `=!` is no symbol, `!a` and `a,!b` are: the longest known one is taken each time, and the parser judges the order. */
function symbolTokens(run: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < run.length) {
    const two = run.slice(position, position + 2);
    const text = two.length === 2 && symbols.has(two) ? two : run.slice(position, position + 1);
    tokens.push({ kind: "symbol", text });
    position += text.length;
  }
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? END;
  }

  #next(): Token {
    const token = this.#peek();
    this.#position++;
    return token;
  }

  #isSymbol(token: Token, text: string): boolean {
    return token.kind === "symbol" && token.text === text;
  }

  #startsRequirement(token: Token): boolean {
    return token.kind === "identifier" || this.#isSymbol(token, "!");
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const first = this.#peek();
      if (first.kind === "end") return requirements;
      if (!this.#startsRequirement(first)) throw found(first, "!, identifier, or 'end of string'");
      requirements.push(this.#requirement());
      const after = this.#next();
      if (after.kind === "end") return requirements;
      if (!this.#isSymbol(after, ",")) throw found(after, "',' or 'end of string'");
      if (!this.#startsRequirement(this.#peek())) throw found(this.#peek(), "identifier after ','");
    }
  }

  #requirement(): LabelRequirement {
    try {
      const negated = this.#isSymbol(this.#peek(), "!");
      if (negated) this.#next();
      const key = this.#next();
      if (key.kind !== "identifier") throw found(key, "identifier");
      const after = this.#peek();
      if (negated) return labelRequirement(key.text, "!", []);
      const isLast = after.kind === "end" || this.#isSymbol(after, ",");
      return isLast ? labelRequirement(key.text, "exists", []) : this.#condition(key.text);
    } catch (thrown) {
      if (thrown instanceof SelectorError) throw new SelectorError(`unable to parse requirement: ${thrown.message}`);
      throw thrown;
    }
  }

  #condition(key: string): LabelRequirement {
    const token = this.#next();
    if (token.kind === "identifier" && (token.text === "in" || token.text === "notin")) {
      return labelRequirement(key, token.text, this.#valueSet());
    }
    const operator: LabelOperator | undefined =
      token.kind !== "symbol"
        ? undefined
        : token.text === "=" || token.text === "=="
          ? "="
          : token.text === "!=" || token.text === ">" || token.text === "<"
            ? token.text
            : undefined;
    if (operator === undefined) throw found(token, "in, notin, =, ==, !=, gt, lt");
    const value = this.#peek();
    if (value.kind === "end" || this.#isSymbol(value, ",")) return labelRequirement(key, operator, [""]);
    if (value.kind !== "identifier") throw found(value, "identifier");
    this.#next();
    return labelRequirement(key, operator, [value.text]);
  }

  /** `(a, b)`; an empty place between commas is the empty value. */
  #valueSet(): string[] {
    const open = this.#next();
    if (!this.#isSymbol(open, "(")) throw new SelectorError(`found '${open.text}' expected: '('`);
    const values: string[] = [];
    let pending = "";
    for (;;) {
      const token = this.#next();
      if (token.kind === "identifier") {
        pending = token.text;
        const after = this.#peek();
        if (!this.#isSymbol(after, ",") && !this.#isSymbol(after, ")")) throw found(after, "',' or ')'");
      } else if (this.#isSymbol(token, ",")) {
        values.push(pending);
        pending = "";
      } else if (this.#isSymbol(token, ")")) {
        values.push(pending);
        return values;
      } else {
        throw found(token, "',', ')' or identifier");
      }
    }
  }
}

function found(token: Token, expected: string): SelectorError {
  return new SelectorError(`found '${token.text}', expected: ${expected}`);
}

/**
 * Reads the text form: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>3`. Throws SelectorError.
 * Source of grammar and texts: kubernetes/apimachinery:pkg/labels.
 */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = new Parser(text).parse();
  return requirements.length === 0 ? LabelSelector.everything : new LabelSelector(requirements);
}
