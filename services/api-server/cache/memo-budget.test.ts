import { expect, test } from "vitest";
import { MemoBudget } from "./memo-budget.ts";

test("the oldest memos are forgotten when the budget is used up, and the newest stays", () => {
  const forgotten: number[] = [];
  const budget = new MemoBudget(10_000);
  for (let index = 0; index < 5_000; index++) {
    budget.remember({ forget: () => forgotten.push(index) }, 1_000);
  }
  expect(forgotten).toEqual(Array.from({ length: forgotten.length }, (_, index) => index));
  const kept = 5_000 - forgotten.length;
  expect(kept).toBeGreaterThan(1);
  expect(kept).toBeLessThan(10);
  budget.remember({ forget: () => expect.unreachable() }, 1_000_000);
  expect(forgotten).toHaveLength(5_000);
});
