import { describe, expect, test } from "vitest";
import { cloneJson, type JsonObject, type JsonValue } from "../json-value.ts";
import type { FieldSchema, MessageSchema } from "../schema.ts";
import { applyStrategicMergePatch } from "./strategic-merge-patch.ts";

function field(jsonName: string, more: Partial<FieldSchema> = {}): FieldSchema {
  return {
    number: 1,
    protoName: jsonName,
    jsonName,
    type: "string",
    repeated: false,
    inlined: false,
    notInJson: false,
    presence: false,
    omitEmpty: true,
    omitZero: false,
    required: false,
    optional: true,
    nullable: false,
    listMapKeys: [],
    immutable: false,
    description: "",
    ...more,
  } as FieldSchema;
}

function message(name: string, fields: readonly FieldSchema[]): MessageSchema {
  return {
    name,
    form: "object",
    fields,
    isKind: false,
    atomic: false,
    defaults: [],
    defaultHooks: [],
    description: "",
  };
}

const item: MessageSchema = message("Item", [
  field("name"),
  field("value"),
  field("list", {
    type: "message",
    message: () => item,
    repeated: true,
    patchStrategy: "merge",
    patchMergeKey: "name",
  }),
  field("plainList", { type: "message", message: () => item, repeated: true }),
  field("numbers", { type: "int32", repeated: true, patchStrategy: "merge" }),
  field("plainNumbers", { type: "int32", repeated: true }),
  field("labels", { mapKey: "string" }),
  field("child", { type: "message", message: () => item }),
  field("replaced", { type: "message", message: () => item, patchStrategy: "replace" }),
  field("strategy", { type: "message", message: () => item, patchStrategy: "retainKeys" }),
  field("volumes", {
    type: "message",
    message: () => item,
    repeated: true,
    patchStrategy: "merge,retainKeys",
    patchMergeKey: "name",
  }),
]);

const list = (...names: string[]): JsonValue[] => names.map((name) => ({ name }));

type Case = [name: string, current: JsonObject, patch: JsonObject, expected: JsonObject];

describe("strategic merge patch", () => {
  const cases: Case[] = [
    ["scalars", { name: "a", value: "b" }, { value: "c" }, { name: "a", value: "c" }],
    ["null removes", { name: "a", value: "b" }, { value: null }, { name: "a" }],
    ["maps merge", { labels: { a: "1", b: "2" } }, { labels: { b: null, c: "3" } }, { labels: { a: "1", c: "3" } }],
    ["objects merge", { child: { name: "a" } }, { child: { value: "b" } }, { child: { name: "a", value: "b" } }],
    ["replace strategy", { replaced: { name: "a" } }, { replaced: { value: "b" } }, { replaced: { value: "b" } }],
    ["plain lists are replaced", { plainList: list("a", "b") }, { plainList: list("c") }, { plainList: list("c") }],
    ["plain scalar lists too", { plainNumbers: [1, 2] }, { plainNumbers: [3] }, { plainNumbers: [3] }],
    ["scalar lists merge", { numbers: [1, 2] }, { numbers: [2, 3] }, { numbers: [1, 2, 3] }],
    [
      "items merge by key",
      { list: [{ name: "a", value: "1" }, { name: "b" }] },
      { list: [{ name: "b", value: "2" }, { name: "c" }] },
      { list: [{ name: "a", value: "1" }, { name: "b", value: "2" }, { name: "c" }] },
    ],
    ["an item is deleted", { list: list("a", "b") }, { list: [{ name: "a", $patch: "delete" }] }, { list: list("b") }],
    [
      "all of one key are deleted",
      { list: list("a", "b", "a") },
      { list: [{ name: "a", $patch: "delete" }] },
      { list: list("b") },
    ],
    ["a list is replaced", { list: list("a") }, { list: [{ $patch: "replace" }, { name: "z" }] }, { list: list("z") }],
    [
      "an object is replaced",
      { child: { name: "a" } },
      { child: { $patch: "replace", value: "b" } },
      { child: { value: "b" } },
    ],
    ["an object is deleted", { child: { name: "a" } }, { child: { $patch: "delete" } }, { child: {} }],
    ["deleting what is not there adds nothing", {}, { child: { $patch: "delete" } }, {}],
    ["deleting items of no list", {}, { list: [{ name: "a", $patch: "delete" }, { name: "b" }] }, { list: list("b") }],
    [
      "primitive items are deleted",
      { numbers: [1, 2, 3, 2] },
      { "$deleteFromPrimitiveList/numbers": [2, 9] },
      { numbers: [1, 3] },
    ],
    [
      "order of items",
      { list: list("a", "b", "c") },
      { "$setElementOrder/list": list("c", "d", "a"), list: list("d") },
      { list: list("b", "c", "d", "a") },
    ],
    ["order alone", { numbers: [1, 2, 3] }, { "$setElementOrder/numbers": [3, 1] }, { numbers: [2, 3, 1] }],
    [
      "order with deletion",
      { list: list("a", "b", "c") },
      { "$setElementOrder/list": list("c", "b"), list: [{ name: "a", $patch: "delete" }] },
      { list: list("c", "b") },
    ],
    [
      "retained keys of an object",
      { strategy: { name: "rolling", value: "5" } },
      { strategy: { $retainKeys: ["name"], name: "recreate" } },
      { strategy: { name: "recreate" } },
    ],
    [
      "retained keys of an item",
      { volumes: [{ name: "v", value: "disk" }] },
      { volumes: [{ name: "v", $retainKeys: ["name", "child"], child: { name: "e" } }] },
      { volumes: [{ name: "v", child: { name: "e" } }] },
    ],
    [
      "unknown members merge",
      { other: { a: 1, l: [1] } },
      { other: { b: 2, l: [2] } },
      { other: { a: 1, b: 2, l: [2] } },
    ],
    ["nulls in new objects fall away", {}, { child: { name: null, value: "a" } }, { child: { value: "a" } }],
    [
      "merging says what happens anyway",
      { child: { name: "a" } },
      { child: { $patch: "merge", value: "b" } },
      { child: { name: "a", value: "b" } },
    ],
  ];
  test.each(cases)("%s", (_, current, patch, expected) => {
    const before = cloneJson(current);
    expect(applyStrategicMergePatch(current, patch, item)).toEqual(expected);
    expect(current).toEqual(before);
  });

  const refused: [name: string, kind: string, message: string, patch: JsonValue][] = [
    ["no object", "malformed", "must be an object", []],
    ["unknown directive", "malformed", 'unknown patch type: "swap"', { child: { $patch: "swap" } }],
    ["item without key", "rejected", "does not contain declared merge key: name", { list: [{ value: "x" }] }],
    [
      "order that the patch breaks",
      "rejected",
      "doesn't match",
      { "$setElementOrder/list": list("b", "a"), list: list("a", "b") },
    ],
    ["order that is no list", "malformed", "setElementOrder", { "$setElementOrder/list": "a" }],
    ["deletion that is no list", "malformed", "primitive list", { "$deleteFromPrimitiveList/numbers": 1 }],
    ["retained keys that lack one", "malformed", "retainKeys", { strategy: { $retainKeys: ["name"], value: "x" } }],
    ["lists of lists", "rejected", "lists of lists", { numbers: [[1]] }],
  ];
  test.each(refused)("%s is refused", (_, kind, text, patch) => {
    const current = { child: {}, list: list("a", "b"), numbers: [1], strategy: {} };
    const act = (): unknown => applyStrategicMergePatch(current, patch, item);
    expect(act).toThrow(expect.objectContaining({ kind, message: expect.stringContaining(text) }));
  });

  test("__proto__ is a member like any other", () => {
    const patch = JSON.parse('{"labels":{"__proto__":"x"},"__proto__":{"polluted":true}}') as JsonValue;
    const patched = applyStrategicMergePatch({ labels: {} }, patch, item);
    expect(Object.keys(patched["labels"] as JsonObject)).toEqual(["__proto__"]);
    expect(({} as JsonObject)["polluted"]).toBeUndefined();
  });
});
