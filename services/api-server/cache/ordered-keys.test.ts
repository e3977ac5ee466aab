import { expect, test } from "vitest";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { lowerBound, OrderedKeys } from "./ordered-keys.ts";

test("keys stay in order under any mix of adding, removing and listing", () => {
  const random = new SeededRandom(7);
  const keys = new OrderedKeys();
  const model = new Set<string>();
  for (let step = 0; step < 5_000; step++) {
    const key = `ns-${Math.floor(random.float() * 5)}/n-${Math.floor(random.float() * 200)}`;
    if (model.has(key)) {
      model.delete(key);
      keys.remove(key);
    } else {
      model.add(key);
      keys.add(key);
    }
    if (random.float() < 0.05) expect(keys.sorted()).toEqual([...model].sort());
  }
  expect(keys.sorted()).toEqual([...model].sort());
});

test("a snapshot does not change afterwards", () => {
  const keys = new OrderedKeys();
  keys.add("b");
  const before = keys.sorted();
  keys.add("a");
  expect(before).toEqual(["b"]);
  expect(keys.sorted()).toEqual(["a", "b"]);
});

test("the lower bound is the first key that is not less", () => {
  expect(["", "a", "b", "c", "d"].map((from) => lowerBound(["a", "c"], from))).toEqual([0, 0, 1, 1, 2]);
});
