/** One clause of the table "Bad inputs and right errors": an input and the answer it must get. */
export interface Clause {
  /** First cell of its row: `REST shape`. */
  readonly interface: string;
  readonly clause: string;
}

/** The clauses of a row's cell: parts between semicolons, and within a part each input before the arrow. */
export function clausesOf(name: string, cell: string): Clause[] {
  const clauses: Clause[] = [];
  for (const part of splitOutside(cell, ";")) {
    const arrow = part.indexOf(" -> ");
    const inputs = arrow < 0 ? [part] : splitOutside(part.slice(0, arrow), ",");
    const answer = arrow < 0 ? "" : part.slice(arrow);
    for (const input of inputs) clauses.push({ interface: name, clause: `${input.trim()}${answer}`.trim() });
  }
  return clauses;
}

/** Splits at `separator` where it stands outside parentheses and back-quotes. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "`") quoted = !quoted;
    else if (!quoted && char === "(") depth++;
    else if (!quoted && char === ")") depth--;
    else if (char === separator && depth === 0 && !quoted) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** The rows of the table in a Markdown document, by the interface that their first cell names. */
export function tableRows(markdown: string): Map<string, string> {
  const section = /\n## 4\. [^\n]*\n([\s\S]*?)\n## /.exec(markdown)?.[1] ?? "";
  const rows = new Map<string, string>();
  for (const line of section.split("\n")) {
    const match = /^\| ([^|]+?) \| (.+) \|$/.exec(line);
    if (match !== null && match[1] !== "Interface" && !match[1]!.startsWith("---")) rows.set(match[1]!, match[2]!);
  }
  return rows;
}
