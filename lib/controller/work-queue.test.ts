import fc from "fast-check";
import { expect, test } from "vitest";
import { SeededRandom } from "../core/seeded-random.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { WorkQueue } from "./work-queue.ts";

function open(jitter = 0) {
  const clock = new VirtualClock();
  const backOff = { baseMs: 10, maxMs: 1_000, jitter };
  const queue = new WorkQueue({ clock, random: new SeededRandom(1) }, { name: "q", backOff });
  return { clock, queue };
}

test("a key waits once, and comes again when added during its work", async () => {
  const { queue } = open();
  queue.add("a");
  queue.add("a");
  queue.add("b");
  expect(queue.depth).toBe(2);
  expect(await queue.take()).toBe("a");
  queue.add("a");
  queue.add("a");
  expect(queue.depth).toBe(1);
  queue.done("a");
  expect(await queue.take()).toBe("b");
  expect(await queue.take()).toBe("a");
  queue.done("a");
  queue.done("b");
  expect(queue.idle).toBe(true);
});

test("retries wait twice as long each time until forgotten", async () => {
  const { clock, queue } = open();
  const waits: number[] = [];
  const fail = async () => {
    queue.retry("a");
    const sinceMs = clock.monotonicMs();
    const taken = queue.take();
    await clock.advanceUntil(() => queue.depth === 0 && !queue.idle && clock.pendingTimers === 0, 10_000);
    waits.push(clock.monotonicMs() - sinceMs);
    queue.done((await taken) ?? "");
  };
  for (let i = 0; i < 9; i++) await fail();
  expect(waits).toEqual([10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
  queue.forget("a");
  waits.length = 0;
  await fail();
  expect(waits).toEqual([10]);
});

test("the earlier of two delays counts", async () => {
  const { clock, queue } = open();
  queue.addAfter("a", 100);
  queue.addAfter("a", 50);
  queue.addAfter("a", 200);
  await clock.advance(50);
  expect(queue.depth).toBe(1);
  expect(clock.pendingTimers).toBe(0);
});

test("close wakes takers and leaves no timer", async () => {
  const { clock, queue } = open();
  const taken = queue.take();
  queue.addAfter("a", 100);
  queue.close();
  expect(await taken).toBeUndefined();
  queue.add("b");
  expect(await queue.take()).toBeUndefined();
  expect(clock.pendingTimers).toBe(0);
});

test("under any order of steps no key is worked on twice at once and none that was added is lost", async () => {
  const step = fc.record({ kind: fc.constantFrom("add", "take", "done"), key: fc.constantFrom("a", "b", "c") });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { queue } = open();
      const owed = new Set<string>();
      const working = new Set<string>();
      for (const { kind, key } of steps) {
        if (kind === "add") {
          queue.add(key);
          owed.add(key);
        } else if (kind === "take" && queue.depth > 0) {
          const taken = (await queue.take()) ?? "";
          expect(working.has(taken)).toBe(false);
          working.add(taken);
          owed.delete(taken);
        } else if (kind === "done" && working.delete(key)) queue.done(key);
      }
      for (const key of working) queue.done(key);
      while (queue.depth > 0) {
        const taken = (await queue.take()) ?? "";
        owed.delete(taken);
        queue.done(taken);
      }
      expect([...owed]).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
