import { isJsonObject, type JsonValue } from "../json-value.ts";
import { PatchError } from "./patch-error.ts";

/** The reference tokens of a JSON pointer (RFC 6901); the empty pointer has none and names the whole document. */
export function parsePointer(text: string): string[] {
  if (text === "") return [];
  if (!text.startsWith("/")) throw new PatchError("rejected", `path ${JSON.stringify(text)} does not start with "/"`);
  return text
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The index that a token names in a list of this length, which may be one past its end; otherwise undefined. */
export function listIndex(token: string, length: number): number | undefined {
  if (token === "-") return length;
  if (!/^(0|[1-9][0-9]{0,8})$/.test(token)) return undefined;
  const index = Number(token);
  return index <= length ? index : undefined;
}

/** What the token names in the container, or undefined. */
export function childOf(container: JsonValue, token: string): JsonValue | undefined {
  if (Array.isArray(container)) {
    const index = listIndex(token, container.length);
    return index === undefined ? undefined : container[index];
  }
  if (isJsonObject(container)) return Object.hasOwn(container, token) ? container[token] : undefined;
  return undefined;
}
