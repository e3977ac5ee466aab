import { endOfString } from "./json-string.ts";
import { MAX_NAMED_FIELDS, pathText } from "./wire-reader.ts";

/** Paths of the members that an object of this valid JSON text has more than once, each path once. */
export function duplicateFields(text: string): string[] {
  const found = new Set<string>();
  const path: (string | number)[] = [];
  /** Names seen, by depth; undefined for lists. */
  const seen: (Set<string> | undefined)[] = [];
  let expectsName = false;
  for (let index = 0; index < text.length && found.size < MAX_NAMED_FIELDS; index++) {
    const code = text.charCodeAt(index);
    const depth = seen.length - 1;
    if (code === 0x22) {
      const end = endOfString(text, index);
      if (expectsName) {
        const name = JSON.parse(text.slice(index, end + 1)) as string;
        path[depth] = name;
        if (seen[depth]?.has(name) === true) {
          found.add(pathText(path, depth + 1));
        }
        seen[depth]?.add(name);
        expectsName = false;
      }
      index = end;
    } else if (code === 0x7b || code === 0x5b) {
      seen.push(code === 0x7b ? new Set() : undefined);
      path[depth + 1] = 0;
      expectsName = code === 0x7b;
    } else if (code === 0x7d || code === 0x5d) {
      seen.pop();
      expectsName = false;
    } else if (code === 0x2c) {
      expectsName = seen[depth] !== undefined;
      if (!expectsName) {
        path[depth] = Number(path[depth]) + 1;
      }
    }
  }
  return [...found];
}
