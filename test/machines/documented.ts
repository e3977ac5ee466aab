import { readFileSync } from "node:fs";
import path from "node:path";

const FILE = path.resolve(import.meta.dirname, "..", "..", "docs", "operations.md");

/** What stands in fences in docs/operations.md: `language` of the fence, text without it. */
function fences(language: string): string[] {
  const text = readFileSync(FILE, "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] ?? "");
}

/** Every command that begins with these words and has all of `containing`, as its arguments; at least one. */
export function documentedCommands(start: string, ...containing: readonly string[]): string[][] {
  const lines = fences("sh").flatMap((text) => text.replaceAll(/\\\n/g, " ").split("\n"));
  const commands = lines.map((line) => (line.replace(/\s#.*$/, "").match(/'[^']*'|\S+/g) ?? []).map(unquoted));
  const found = commands.filter(
    (words) => words.join(" ").startsWith(start) && containing.every((one) => words.some((word) => word.includes(one))),
  );
  if (found.length === 0) throw new Error(`docs/operations.md has no command ${start} … ${containing.join(" … ")}`);
  return found;
}

/** The only such command, and its words replaced as people do it. */
export function documentedCommand(
  start: string,
  containing: readonly string[] = [],
  replacements: Readonly<Record<string, string>> = {},
): string[] {
  const [command, ...more] = documentedCommands(start, ...containing);
  if (more.length > 0) throw new Error(`docs/operations.md has ${more.length + 1} commands ${start}`);
  return command!.map((word) =>
    Object.entries(replacements).reduce((text, [from, to]) => text.replaceAll(from, to), word),
  );
}

/** The file of this name, which stands in a fence under a comment with its name. */
export function documentedFile(name: string, language: string): string {
  const found = fences(language).find((text) => text.startsWith(`# ${name}\n`));
  if (found === undefined) throw new Error(`docs/operations.md has no file ${name}`);
  return found;
}

function unquoted(word: string): string {
  return word.replace(/^'(.*)'$/, "$1");
}
