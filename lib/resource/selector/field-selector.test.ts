import { describe, expect, test } from "vitest";
import { fieldText, parseFieldSelector } from "./field-selector.ts";

describe("field selector text", () => {
  const canonical: [text: string, canonical: string][] = [
    ["", ""],
    ["metadata.name=a", "metadata.name=a"],
    ["a=1,b==2,c!=3", "a=1,b=2,c!=3"],
    ["a=", "a="],
    ["a=b,,c=d", "a=b,c=d"],
    ["a=1\\,2", "a=1\\,2"],
    ["a=x\\=y\\\\z", "a=x\\=y\\\\z"],
  ];
  test.each(canonical)("%j is written as %j", (text, expected) => {
    expect(parseFieldSelector(text).toString()).toBe(expected);
  });

  const refused: [text: string, message: string][] = [
    ["a", "invalid selector: 'a'; can't understand 'a'"],
    ["a=b=c", "invalid field selector: unescaped character in value: 61"],
    ["a=b\\d", "invalid field selector: invalid escape sequence: \\d"],
    ["a=b\\", "invalid field selector: invalid escape sequence: \\"],
  ];
  test.each(refused)("%j is refused", (text, message) => {
    expect(() => parseFieldSelector(text)).toThrow(message);
  });

  test("escaped values compare as the characters they stand for", () => {
    const selector = parseFieldSelector("a=x\\,y\\=z\\\\");
    expect(selector.matches(() => "x,y=z\\")).toBe(true);
    expect(selector.exactValue("a")).toBe("x,y=z\\");
    expect(selector.exactValue("b")).toBeUndefined();
  });
});

describe("field selector matching", () => {
  const pod = {
    metadata: { name: "web", namespace: "default" },
    spec: { nodeName: "n1", hostNetwork: true },
    status: { count: 3n },
  };
  const cases: [selector: string, expected: boolean][] = [
    ["metadata.name=web", true],
    ["metadata.name=web,metadata.namespace!=default", false],
    ["spec.nodeName!=n2", true],
    ["spec.hostNetwork=true", true],
    ["status.count=3", true],
    ["spec.missing=", true],
    ["spec.missing!=", false],
    ["spec=", true],
    ["metadata.constructor.name=", true],
  ];
  test.each(cases)("%j is %s", (selector, expected) => {
    expect(parseFieldSelector(selector).matches((field) => fieldText(pod, field))).toBe(expected);
  });

  test("fields can be renamed or refused", () => {
    const renamed = parseFieldSelector("spec.host=a").mapFields(() => "spec.nodeName");
    expect(renamed.toString()).toBe("spec.nodeName=a");
    expect(() =>
      parseFieldSelector("x=a").mapFields((field) => {
        throw new Error(`field label not supported: ${field}`);
      }),
    ).toThrow("field label not supported: x");
  });
});
