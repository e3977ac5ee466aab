import { describe, expect, test } from "vitest";
import { indentJson, jsonToYaml } from "./readable-text.ts";

/** A number that JSON.parse would round, and strings that YAML 1.1 would read as a time, a truth, a number. */
const JSON_TEXT = '{"size":9007199254740993,"t":"2026-01-02T03:04:05Z","b":"yes","o":"010","s":"plain","e":{},"l":[1]}';

describe("readable text", () => {
  test("indented JSON keeps every digit and the order", () => {
    const text = indentJson(JSON_TEXT);
    expect(text).toContain('"size": 9007199254740993,\n');
    expect(text.replaceAll(/\s/g, "")).toBe(JSON_TEXT);
  });

  test("YAML keeps every digit and quotes what would be read as something else", () => {
    expect(jsonToYaml(JSON_TEXT)).toBe(
      [
        "size: 9007199254740993",
        't: "2026-01-02T03:04:05Z"',
        'b: "yes"',
        'o: "010"',
        "s: plain",
        "e: {}",
        "l:",
        "  - 1",
        "",
      ].join("\n"),
    );
  });
});
