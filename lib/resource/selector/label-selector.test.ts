import { describe, expect, test } from "vitest";
import { LabelSelector, labelSelectorFromMap, labelSelectorFromObject } from "./label-selector.ts";
import { parseLabelSelector } from "./label-selector-text.ts";

describe("label selector text", () => {
  const canonical: [text: string, canonical: string][] = [
    ["", ""],
    ["x=a,y=b,z=c", "x=a,y=b,z=c"],
    ["z=c , x == a", "x=a,z=c"],
    ["x=", "x="],
    ["x= ,z= ", "x=,z="],
    ["!x", "!x"],
    ["! x", "!x"],
    ["x>1,z<5", "x>1,z<5"],
    ["x in (c,a , b)", "x in (a,b,c)"],
    ["x in (a,a)", "x in (a)"],
    ["x notin ()", "x notin ()"],
    ["x in (,a)", "x in (,a)"],
    ["in in (in)", "in in (in)"],
    ["notin=in", "notin=in"],
    ["a.example/b!=c,!d,e", "a.example/b!=c,!d,e"],
  ];
  test.each(canonical)("%j is written as %j and reads back the same", (text, expected) => {
    expect(parseLabelSelector(text).toString()).toBe(expected);
    expect(parseLabelSelector(expected).toString()).toBe(expected);
  });

  const refused: [text: string, message: string][] = [
    ["x=a||y=b", "a valid label must be an empty string or consist of"],
    ["x==a==b", "found '==', expected: ',' or 'end of string'"],
    ["!x=a", "found '=', expected: ',' or 'end of string'"],
    ["x<a", "for 'Gt', 'Lt' operators, the value must be an integer"],
    ["x=a,", "found '', expected: identifier after ','"],
    [",x", "found ',', expected: !, identifier, or 'end of string'"],
    ["x in a", "unable to parse requirement: found 'a' expected: '('"],
    ["x in (a", "unable to parse requirement: found '', expected: ',' or ')'"],
    ["x near (a)", "unable to parse requirement: found 'near', expected: in, notin, =, ==, !=, gt, lt"],
    ["x!", "found '!', expected: in, notin, =, ==, !=, gt, lt"],
    ["!", "unable to parse requirement: found '', expected: identifier"],
    ["-x=1", 'key: Invalid value: "-x": name part must consist of alphanumeric characters'],
    ["a/b/c=1", "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"],
    [`x=${"v".repeat(64)}`, "must be no more than 63 bytes"],
  ];
  test.each(refused)("%j is refused", (text, message) => {
    expect(() => parseLabelSelector(text)).toThrow(message);
  });
});

describe("label selector matching", () => {
  const cases: [selector: string, labels: Record<string, string> | undefined, expected: boolean][] = [
    ["", undefined, true],
    ["x=y", { x: "y" }, true],
    ["x=y,z=w", { x: "y", z: "w" }, true],
    ["x=y,z=w", { x: "w", z: "w" }, false],
    ["x!=y", { x: "z" }, true],
    ["x!=y", undefined, true],
    ["x notin (y)", {}, true],
    ["x notin (y)", { x: "y" }, false],
    ["x in (y,z)", { x: "z" }, true],
    ["x in (y,z)", {}, false],
    ["x", { x: "" }, true],
    ["!x", { y: "z" }, true],
    ["x>1", { x: "2" }, true],
    ["x>1", { x: "1" }, false],
    ["x<1", { x: "0" }, true],
    ["x>1", { x: "many" }, false],
    ["x>9007199254740992", { x: "9007199254740993" }, true],
    ["constructor", {}, false],
    ["constructor=a", { constructor: "a" } as unknown as Record<string, string>, true],
  ];
  test.each(cases)("%j on %j is %s", (selector, labels, expected) => {
    expect(parseLabelSelector(selector).matches(labels)).toBe(expected);
  });

  test("an absent LabelSelector selects nothing, an empty one everything", () => {
    expect(labelSelectorFromObject(undefined).matches({})).toBe(false);
    expect(labelSelectorFromObject(undefined).isEverything).toBe(false);
    expect(labelSelectorFromObject({}).isEverything).toBe(true);
    expect(LabelSelector.everything.matches(undefined)).toBe(true);
  });

  test("matchLabels and matchExpressions become one selector", () => {
    const selector = labelSelectorFromObject({
      matchLabels: { app: "web" },
      matchExpressions: [
        { key: "tier", operator: "In", values: ["b", "a"] },
        { key: "old", operator: "DoesNotExist" },
      ],
    });
    expect(selector.toString()).toBe("app=web,!old,tier in (a,b)");
    expect(() => labelSelectorFromObject({ matchExpressions: [{ key: "a", operator: "toString" }] })).toThrow(
      '"toString" is not a valid label selector operator',
    );
    expect(labelSelectorFromMap({ b: "1", a: "2" }).toString()).toBe("a=2,b=1");
  });
});
