import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { FieldSet } from "../apply/field-set.ts";
import { shapeOf } from "../apply/shape.ts";
import { compareShaped, fieldsOf, mergeShaped } from "../apply/shaped-value.ts";
import { cloneJson, type JsonObject, type JsonValue, jsonEqual } from "../json-value.ts";
import { loadRegistry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { applyJsonPatch } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import { PatchError } from "./patch-error.ts";
import { applyStrategicMergePatch } from "./strategic-merge-patch.ts";

const podSchema = loadRegistry(kindDescriptors).schemaOfKind("", "v1", "Pod") as MessageSchema;

const runs = { numRuns: 300, seed: 20260101 };
const names = [
  "a",
  "b",
  "__proto__",
  "constructor",
  "spec",
  "containers",
  "name",
  "finalizers",
  "metadata",
  "env",
  "$patch",
];
const name = fc.constantFrom(...names);
const { json } = fc.letrec<{ json: JsonValue; object: JsonObject }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<JsonValue>(null, true, 0, 1, 2n ** 60n, "", "x", "delete"),
    fc.array(tie("json"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.array(fc.tuple(name, tie("json")), { maxLength: 4 }).map((members) => {
    const object = Object.create(null) as JsonObject;
    for (const [key, value] of members) object[key] = value;
    return object;
  }),
}));
const object = json.filter(
  (value): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value),
);

const pointer = fc
  .array(fc.oneof(name, fc.constantFrom("0", "1", "-", "01")), { maxLength: 4 })
  .map((tokens) => tokens.map((token) => `/${token}`).join(""));
const operation = fc.record(
  {
    op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "else"),
    path: pointer,
    from: pointer,
    value: json,
  },
  { requiredKeys: ["op", "path"] },
) as fc.Arbitrary<JsonObject>;

/** What the patch gives, or the PatchError's kind; anything else that is thrown fails the test. */
function outcome(work: () => JsonObject): JsonObject | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof PatchError) return error.kind;
    throw error;
  }
}

describe("whatever is patched with whatever", () => {
  test("a JSON patch applies or is refused, and changes neither argument", () => {
    fc.assert(
      fc.property(object, fc.array(operation, { maxLength: 5 }), (current, patch) => {
        const [before, beforePatch] = [cloneJson(current), cloneJson(patch as JsonValue)];
        outcome(() => applyJsonPatch(current, patch));
        expect(jsonEqual(current, before)).toBe(true);
        expect(jsonEqual(patch as JsonValue, beforePatch)).toBe(true);
      }),
      runs,
    );
  });

  test("a merge patch done twice is done once", () => {
    fc.assert(
      fc.property(object, object, (current, patch) => {
        const once = applyMergePatch(current, patch);
        expect(jsonEqual(applyMergePatch(once, patch), once)).toBe(true);
      }),
      runs,
    );
  });

  test("a strategic merge patch applies or is refused, and changes neither argument", () => {
    fc.assert(
      fc.property(object, object, (current, patch) => {
        const [before, beforePatch] = [cloneJson(current), cloneJson(patch)];
        outcome(() => applyStrategicMergePatch(current, patch, podSchema));
        expect(jsonEqual(current, before)).toBe(true);
        expect(jsonEqual(patch, beforePatch)).toBe(true);
        expect(jsonEqual(applyStrategicMergePatch(current, {}, podSchema), current)).toBe(true);
      }),
      runs,
    );
  });

  test("nothing ever reaches a prototype", () => {
    fc.assert(
      fc.property(object, object, (current, patch) => {
        outcome(() => applyMergePatch(current, patch));
        outcome(() => applyStrategicMergePatch(current, patch, podSchema));
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      runs,
    );
  });
});

describe("sets of fields", () => {
  const set = fc
    .array(fc.array(fc.constantFrom("f:a", "f:b", 'k:{"name":"x"}', "v:1"), { minLength: 1, maxLength: 3 }), {
      maxLength: 6,
    })
    .map((paths) => FieldSet.of(...paths));

  test("obey the laws of sets", () => {
    fc.assert(
      fc.property(set, set, (left, right) => {
        expect(left.union(right).equals(right.union(left))).toBe(true);
        expect(left.intersection(right).union(left.difference(right)).equals(left)).toBe(true);
        expect(left.difference(right).intersection(right).isEmpty).toBe(true);
        expect(left.recursiveDifference(right).difference(left).isEmpty).toBe(true);
        expect(FieldSet.fromJson(left.toJson()).equals(left)).toBe(true);
        expect(left.difference(left.withParents()).isEmpty).toBe(true);
      }),
      runs,
    );
  });
});

describe("merging by shape", () => {
  const shape = shapeOf(podSchema);
  const item = (id: string): fc.Arbitrary<JsonObject> =>
    fc.record({ name: fc.constant(id), image: fc.constantFrom("x", "y") }) as fc.Arbitrary<JsonObject>;
  const pod = fc
    .tuple(
      fc.subarray(["a", "b", "c"]).chain((ids) => fc.tuple(...ids.map(item))),
      fc.uniqueArray(fc.constantFrom("f/1", "f/2", "f/3")),
      fc.dictionary(fc.constantFrom("l", "m"), fc.constantFrom("1", "2")),
    )
    .map(
      ([containers, finalizers, labels]): JsonObject => ({ metadata: { labels, finalizers }, spec: { containers } }),
    );

  test("what was laid over is there, and nothing of the rest is lost", () => {
    fc.assert(
      fc.property(pod, pod, (under, over) => {
        const merged = mergeShaped(under, over, shape);
        const { modified, removed } = compareShaped(over, merged, shape);
        expect(modified.isEmpty && removed.isEmpty).toBe(true);
        expect(compareShaped(under, merged, shape).removed.isEmpty).toBe(true);
        const all = fieldsOf(under, shape).union(fieldsOf(over, shape));
        expect(fieldsOf(merged, shape).difference(all).isEmpty).toBe(true);
        expect(jsonEqual(mergeShaped(merged, over, shape), merged)).toBe(true);
      }),
      runs,
    );
  });
});
