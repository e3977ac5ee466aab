import { expect, test } from "vitest";
import { choiceFlag, integerFlag, parseFlags, stringFlag, UsageError } from "./command.ts";

const FLAGS = { "data-dir": "string", nodes: "string", purge: "boolean", output: "string" } as const;

test("flags in both forms, the short output flag and words", () => {
  const { values, words } = parseFlags(["--data-dir=/x", "--nodes", "3", "-o", "json", "--purge", "file"], FLAGS, {
    min: 1,
    max: 2,
    names: "FILE",
  });
  expect(values).toEqual({ "data-dir": "/x", nodes: "3", output: "json", purge: true });
  expect(words).toEqual(["file"]);
});

test.each([
  [["--unknown"], /--unknown/],
  [["--nodes"], /--nodes/],
  [["--purge=yes"], /--purge/],
  [["word"], /unexpected argument "word"/],
])("%j is refused", (args, says) => {
  expect(() => parseFlags(args, FLAGS)).toThrow(says);
  expect(() => parseFlags(args, FLAGS)).toThrow(UsageError);
});

test("too few words name what is missing", () => {
  expect(() => parseFlags([], FLAGS, { min: 1, max: 1, names: "a FILE" })).toThrow("needs a FILE");
});

test("integers, choices and empty strings", () => {
  expect(integerFlag({ nodes: "12" }, "nodes", 1, 20, 5)).toBe(12);
  expect(integerFlag({}, "nodes", 1, 20, 5)).toBe(5);
  for (const bad of ["0", "21", "1.5", "1e1", "-1", " 2", "x"])
    expect(() => integerFlag({ nodes: bad }, "nodes", 1, 20, 5)).toThrow(/--nodes/);
  expect(choiceFlag({ output: "json" }, "output", ["text", "json"])).toBe("json");
  expect(() => choiceFlag({ output: "xml" }, "output", ["text", "json"])).toThrow('not "xml"');
  expect(() => stringFlag({ output: "" }, "output")).toThrow("must not be empty");
});
