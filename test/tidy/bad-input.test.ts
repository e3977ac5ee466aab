import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type Clause, clausesOf, tableRows } from "../bad-input/clauses.ts";
import { ROWS, type Row } from "../bad-input/rows.ts";
import { ROOT } from "./source-files.ts";

const TABLE = path.resolve(ROOT, "../shared/RELIABILITY.md");
const isHere = existsSync(TABLE);
/** Interfaces that exist; the table's other rows come with what they are about. */
const BUILT = /^(REST |gRPC |etcd |CNI )/;

if (!isHere)
  console.warn("SKIPPED: RELIABILITY.md is not beside the checkout; the clauses of its table are not compared");

function clausesOfBuilt(table: ReadonlyMap<string, string>): Clause[] {
  return [...table].filter(([name]) => BUILT.test(name)).flatMap(([name, cell]) => clausesOf(name, cell));
}

/** What the list lacks, has twice, or has although the table does not. */
function differences(clauses: readonly Clause[], rows: readonly Row[]): string[] {
  const keyOf = (clause: Clause): string => `${clause.interface}: ${clause.clause}`;
  const listed = rows.map(keyOf);
  const wanted = new Set(clauses.map(keyOf));
  return [
    ...[...wanted].filter((key) => !listed.includes(key)).map((key) => `not listed: ${key}`),
    ...listed.filter((key) => !wanted.has(key)).map((key) => `not in the table: ${key}`),
    ...listed.filter((key, index) => listed.indexOf(key) !== index).map((key) => `listed twice: ${key}`),
  ];
}

/** Texts between quotes, in which the titles of tests and of their tables stand. */
function literalsOf(source: string): string[] {
  const literals = source.matchAll(/"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g);
  return [...literals].map((match) => (match[1] ?? match[2] ?? match[3] ?? "").replaceAll(/\\(["'`])/g, "$1"));
}

/** Rows that name a test which does not exist, or give no reason. */
function broken(rows: readonly Row[], read: (file: string) => string | undefined): string[] {
  const problems: string[] = [];
  for (const { interface: name, clause, state } of rows) {
    if ("test" in state) {
      const source = read(state.test);
      if (source === undefined) problems.push(`${name}: ${clause}: no file ${state.test}`);
      const literals = source === undefined ? [] : literalsOf(source);
      if (state.titles.length === 0) problems.push(`${name}: ${clause}: no title`);
      for (const title of state.titles) {
        if (source !== undefined && !literals.some((literal) => literal.includes(title))) {
          problems.push(`${name}: ${clause}: ${state.test} has no test ${JSON.stringify(title)}`);
        }
      }
    } else {
      const why = "later" in state ? state.later : state.notApplicable;
      if (why.length < 10) problems.push(`${name}: ${clause}: no reason`);
    }
  }
  return problems;
}

function readSource(file: string): string | undefined {
  const full = path.join(ROOT, file);
  return existsSync(full) ? readFileSync(full, "utf8") : undefined;
}

test.skipIf(!isHere)("every clause of the table of bad inputs is listed, with its test or its reason", () => {
  const clauses = clausesOfBuilt(tableRows(readFileSync(TABLE, "utf8")));
  expect(clauses.length).toBeGreaterThanOrEqual(84);
  expect(differences(clauses, ROWS)).toEqual([]);
});

test("every test that a row names exists", () => {
  const files = new Set(ROWS.flatMap(({ state }) => ("test" in state ? [state.test] : [])));
  expect(files.size).toBeGreaterThanOrEqual(8);
  expect(readdirSync(path.join(ROOT, "test/bad-input")).length).toBeGreaterThanOrEqual(6);
  expect(broken(ROWS, readSource)).toEqual([]);
});

describe("what is planted is found", () => {
  const row: Row = { interface: "REST shape", clause: "a -> 400", state: { test: "x.test.ts", titles: ["a -> 400"] } };
  const planted =
    "\n## 4. Table\n| Interface | Input |\n|---|---|\n| REST shape | a, b -> 400; c 415 |\n| DNS | d |\n\n## 5.";

  test("a clause that is not listed, one that is not in the table, one that is listed twice", () => {
    const clauses = clausesOfBuilt(tableRows(planted));
    const gone: Row = { ...row, clause: "gone 404" };
    expect(differences(clauses, [row, row, gone])).toEqual([
      "not listed: REST shape: b -> 400",
      "not listed: REST shape: c 415",
      "not in the table: REST shape: gone 404",
      "listed twice: REST shape: a -> 400",
    ]);
  });

  test("a file that is gone, a title that only a comment has, a reason that is none", () => {
    const source = '/** a -> 400 */ test("another", () => {});';
    expect(broken([row], () => undefined)).toEqual(["REST shape: a -> 400: no file x.test.ts"]);
    expect(broken([row], () => source)).toEqual(['REST shape: a -> 400: x.test.ts has no test "a -> 400"']);
    expect(broken([{ ...row, state: { later: "soon" } }], () => source)).toEqual(["REST shape: a -> 400: no reason"]);
    expect(broken([row], () => 'test("a -> 400", () => {});')).toEqual([]);
  });
});
