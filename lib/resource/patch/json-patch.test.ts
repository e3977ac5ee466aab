import { describe, expect, test } from "vitest";
import { cloneJson, type JsonObject, type JsonValue } from "../json-value.ts";
import { applyJsonPatch } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";

type Case = [name: string, current: JsonObject, patch: JsonValue, expected: JsonObject];

describe("JSON patch (RFC 6902)", () => {
  const cases: Case[] = [
    ["add a member", { foo: "bar" }, [{ op: "add", path: "/baz", value: "qux" }], { baz: "qux", foo: "bar" }],
    ["add an item", { foo: ["a", "c"] }, [{ op: "add", path: "/foo/1", value: "b" }], { foo: ["a", "b", "c"] }],
    ["add at the end", { foo: ["a"] }, [{ op: "add", path: "/foo/-", value: ["b"] }], { foo: ["a", ["b"]] }],
    ["add null", {}, [{ op: "add", path: "/a", value: null }], { a: null }],
    ["add replaces a member", { a: 1 }, [{ op: "add", path: "/a", value: 2 }], { a: 2 }],
    ["remove a member", { a: 1, b: 2 }, [{ op: "remove", path: "/a" }], { b: 2 }],
    ["remove an item", { a: [1, 2, 3] }, [{ op: "remove", path: "/a/1" }], { a: [1, 3] }],
    ["replace", { a: 1 }, [{ op: "replace", path: "/a", value: { b: 1 } }], { a: { b: 1 } }],
    ["replace everything", { a: 1 }, [{ op: "replace", path: "", value: { b: 1 } }], { b: 1 }],
    ["move a member", { a: { b: 1 } }, [{ op: "move", from: "/a/b", path: "/c" }], { a: {}, c: 1 }],
    ["move an item", { a: [1, 2, 3] }, [{ op: "move", from: "/a/0", path: "/a/2" }], { a: [2, 3, 1] }],
    [
      "copy is deep",
      { a: { b: 1 } },
      [
        { op: "copy", from: "/a", path: "/c" },
        { op: "replace", path: "/c/b", value: 2 },
      ],
      { a: { b: 1 }, c: { b: 2 } },
    ],
    [
      "test passes",
      { a: [1, { b: "x" }] },
      [{ op: "test", path: "/a", value: [1, { b: "x" }] }],
      { a: [1, { b: "x" }] },
    ],
    ["test of nothing against null", {}, [{ op: "test", path: "/a", value: null }], {}],
    [
      "escapes",
      { "a/b": 1, "c~d": 2 },
      [
        { op: "replace", path: "/a~1b", value: 3 },
        { op: "remove", path: "/c~0d" },
      ],
      { "a/b": 3 },
    ],
    [
      "int64 stays exact",
      { a: 1 },
      [{ op: "add", path: "/b", value: 9007199254740993n }],
      { a: 1, b: 9007199254740993n },
    ],
  ];
  test.each(cases)("%s", (_, current, patch, expected) => {
    const before = cloneJson(current);
    expect(applyJsonPatch(current, patch)).toEqual(expected);
    expect(current).toEqual(before);
  });

  type Refusal = [name: string, kind: string, message: string, patch: JsonValue];
  const refused: Refusal[] = [
    ["no list", "malformed", "must be a list", {}],
    ["no object", "malformed", "operation 0 is no object", ["add"]],
    ["no op", "malformed", 'operation 0 has no text in "op"', [{ path: "/a" }]],
    ["no value", "malformed", "has no value", [{ op: "add", path: "/a" }]],
    ["unknown operation", "rejected", "Unexpected kind: swap", [{ op: "swap", path: "/a" }]],
    ["test fails", "rejected", "testing value /a failed: test failed", [{ op: "test", path: "/a", value: 2 }]],
    ["missing member", "rejected", "missing value", [{ op: "remove", path: "/zz" }]],
    ["missing parent", "rejected", "doc is missing path", [{ op: "add", path: "/x/y", value: 1 }]],
    ["replace of nothing", "rejected", "missing value", [{ op: "replace", path: "/zz", value: 1 }]],
    ["index past the end", "rejected", "invalid index referenced", [{ op: "add", path: "/l/9", value: 1 }]],
    ["index with zeros", "rejected", "invalid index referenced", [{ op: "add", path: "/l/00", value: 1 }]],
    ["move into itself", "rejected", "lies inside what is moved", [{ op: "move", from: "/o", path: "/o/x" }]],
    ["pointer without slash", "rejected", "does not start with", [{ op: "remove", path: "a" }]],
    ["document becomes a list", "rejected", "is not an object", [{ op: "add", path: "", value: [] }]],
    ["inherited member", "rejected", "missing value", [{ op: "copy", from: "/constructor", path: "/b" }]],
  ];
  test.each(refused)("%s is refused", (_, kind, message, patch) => {
    const current = { a: 1, l: [1], o: { x: 1 } };
    expect(() => applyJsonPatch(current, patch)).toThrow(
      expect.objectContaining({ kind, message: expect.stringContaining(message) }),
    );
  });

  test("more than 10,000 operations are too large", () => {
    const patch = Array.from({ length: 10_001 }, () => ({ op: "test", path: "/a", value: 1 }));
    expect(applyJsonPatch({ a: 1 }, patch.slice(1))).toEqual({ a: 1 });
    expect(() => applyJsonPatch({ a: 1 }, patch)).toThrow(expect.objectContaining({ kind: "too-large" }));
  });

  test("copies that double each time stop at the limit", () => {
    const patch = Array.from({ length: 60 }, (_, step) => ({ op: "copy", from: "/a", path: `/a/${step}` }));
    const act = (): unknown => applyJsonPatch({ a: {} }, patch);
    expect(act).toThrow(/the accumulated size increase of copy is \d+, exceeding the limit 3145728/);
  });

  test("__proto__ is a member like any other", () => {
    const patch = JSON.parse('[{"op":"add","path":"/__proto__","value":{"polluted":true}}]') as JsonValue;
    const patched = applyJsonPatch({ a: 1 }, patch);
    expect(Object.keys(patched)).toEqual(["a", "__proto__"]);
    expect(({} as JsonObject)["polluted"]).toBeUndefined();
  });
});

describe("JSON merge patch (RFC 7386, appendix A)", () => {
  const cases: Case[] = [
    ["replace", { a: "b" }, { a: "c" }, { a: "c" }],
    ["add", { a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    ["remove", { a: "b" }, { a: null }, {}],
    ["remove one", { a: "b", b: "c" }, { a: null }, { b: "c" }],
    ["scalar for list", { a: ["b"] }, { a: "c" }, { a: "c" }],
    ["list for scalar", { a: "c" }, { a: ["b"] }, { a: ["b"] }],
    ["nested", { a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    ["lists are replaced", { a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    ["null stays beside", { e: null }, { a: 1 }, { e: null, a: 1 }],
    ["nulls in new objects fall away", {}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  test.each(cases)("%s", (_, current, patch, expected) => {
    expect(applyMergePatch(current, patch)).toEqual(expected);
  });

  test("only an object is a merge patch", () => {
    expect(() => applyMergePatch({}, [1])).toThrow(expect.objectContaining({ kind: "malformed" }));
  });

  test("__proto__ is a member like any other", () => {
    const patched = applyMergePatch({ a: {} }, JSON.parse('{"a":{"__proto__":{"x":1}}}') as JsonValue);
    expect(Object.keys(patched["a"] as JsonObject)).toEqual(["__proto__"]);
    expect(({} as JsonObject)["x"]).toBeUndefined();
  });
});
