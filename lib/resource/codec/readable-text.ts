import { endOfString } from "./json-string.ts";
import { NumberLiteral, parseText } from "./json-text.ts";
import { yamlPackage } from "./yaml-package.ts";
import { resolvePlain } from "./yaml-text.ts";

/** Compact JSON with line breaks and two spaces a level; as text, so that no digit and no order is lost. */
export function indentJson(json: string): string {
  let out = "";
  let depth = 0;
  const line = (): string => `\n${"  ".repeat(depth)}`;
  for (let index = 0; index < json.length; index++) {
    const character = json[index]!;
    const isEmpty = (character === "{" && json[index + 1] === "}") || (character === "[" && json[index + 1] === "]");
    if (character === '"') {
      const end = endOfString(json, index);
      out += json.slice(index, end + 1);
      index = end;
    } else if (isEmpty) {
      out += json.slice(index, index + 2);
      index += 1;
    } else if (character === "{" || character === "[") {
      depth += 1;
      out += character + line();
    } else if (character === "}" || character === "]") {
      depth -= 1;
      out += line() + character;
    } else {
      out += character === "," ? `,${line()}` : character === ":" ? ": " : character;
    }
  }
  return `${out}\n`;
}

/**
 * Compact JSON as YAML with no digit lost; strings that a reader of YAML 1.1 would take for something else (`yes`, a time)
 * stand in quotes.
 */
export function jsonToYaml(json: string): string {
  const { Document, visit } = yamlPackage();
  const document = new Document(plainNumbers(parseText(json, true)), { version: "1.1" });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === "string" && !isItself(node.value)) {
        node.type = "QUOTE_DOUBLE";
      }
    },
  });
  return document.toString({ lineWidth: 0 }).replace(/^%YAML 1\.1\n---\n/, "");
}

/** Whether a plain scalar is read back as the string that it is. */
function isItself(text: string): boolean {
  try {
    return resolvePlain(text) === text;
  } catch {
    return false;
  }
}

/** Parsed JSON with plain numbers; objects are changed in place. */
function plainNumbers(value: unknown): unknown {
  if (value instanceof NumberLiteral) {
    return value.value;
  }
  if (Array.isArray(value)) {
    return value.map(plainNumbers);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const object = value as Record<string, unknown>;
  for (const name of Object.keys(object)) {
    object[name] = plainNumbers(object[name]);
  }
  return object;
}
