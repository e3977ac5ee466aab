import fc from "fast-check";
import { expect, test } from "vitest";
import { type IndexEntry, KeyIndex } from "./key-index.ts";

function entry(key: string, id: number): IndexEntry {
  return { key, id, createRevision: 1, modRevision: id, version: 1, lease: 0n };
}

const keys = fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom("a", "b", "c", "\0", "\xff") });
const steps = fc.array(fc.record({ key: keys, remove: fc.boolean() }), { maxLength: 300 });

test("answers as a sorted list does, whatever comes and goes", () => {
  fc.assert(
    fc.property(steps, keys, fc.option(keys), (changes, from, to) => {
      const index = new KeyIndex();
      const model = new Map<string, number>();
      for (const [id, { key, remove }] of changes.entries()) {
        if (remove) {
          index.delete(key);
          model.delete(key);
        } else {
          index.set(entry(key, id));
          model.set(key, id);
        }
      }
      const wanted = [...model]
        .filter(([key]) => key >= from && (to === null || key < to))
        .sort(([left], [right]) => (left < right ? -1 : 1));
      const found = [...index.range(from, to ?? undefined)].map(({ key, id }) => [key, id]);
      expect(found).toEqual(wanted);
      expect(index.count(from, to ?? undefined)).toBe(wanted.length);
      expect(index.size).toBe(model.size);
    }),
    { numRuns: 200 },
  );
});

test("stays in order when chunks split, and when they empty", () => {
  const index = new KeyIndex();
  const names = Array.from({ length: 5_000 }, (_, i) => `k${String((i * 7919) % 5_000).padStart(4, "0")}`);
  for (const [id, name] of names.entries()) index.set(entry(name, id));
  expect([...index.range("", undefined)].map(({ key }) => key)).toEqual(names.toSorted());
  expect(index.count("k0100", "k0200")).toBe(100);
  for (const name of names.slice(0, 4_900)) index.delete(name);
  expect([...index.range("", undefined)].map(({ key }) => key)).toEqual(names.slice(4_900).toSorted());
  for (const name of names) index.delete(name);
  expect(index.count("", undefined)).toBe(0);
});

test("loads what is sorted already", () => {
  const index = new KeyIndex();
  const names = Array.from({ length: 1_000 }, (_, i) => `k${String(i).padStart(4, "0")}`);
  index.load(names.map((name, id) => entry(name, id)));
  index.set(entry("k0500x", 7));
  expect([...index.range("k0499", "k0502")].map(({ key }) => key)).toEqual(["k0499", "k0500", "k0500x", "k0501"]);
});
