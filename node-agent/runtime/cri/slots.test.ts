import { expect, test } from "vitest";
import { Slots } from "./slots.ts";

test("no more than the limit goes on at once, in order, also after failures", async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  let active = 0;
  let most = 0;
  const works = Array.from({ length: 6 }, (_, n) =>
    slots.run(async () => {
      begun.push(n);
      most = Math.max(most, ++active);
      await new Promise((resolve) => setImmediate(resolve));
      active--;
      if (n === 1) throw new Error("one fails");
      return n;
    }),
  );
  const results = await Promise.allSettled(works);
  expect(most).toBe(2);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  expect(results.map((each) => each.status === "fulfilled")).toEqual([true, false, true, true, true, true]);
  expect(await slots.run(async () => "free")).toBe("free");
});
