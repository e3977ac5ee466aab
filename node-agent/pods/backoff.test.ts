import { expect, test } from "vitest";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import { Backoff } from "./backoff.ts";

test("a crash loop waits 10 s, doubling to 5 min; ten quiet minutes begin it anew", async () => {
  const clock = new VirtualClock();
  const backoff = new Backoff(clock, { initialMs: 10_000, maxMs: 300_000 });
  const waits: number[] = [];
  for (let crash = 0; crash < 8; crash++) {
    const sinceMs = clock.monotonicMs();
    const leftMs = backoff.leftMs("a", sinceMs);
    waits.push(leftMs);
    await clock.advance(leftMs);
    backoff.failed("a", sinceMs);
  }
  expect(waits.map((ms) => ms / 1_000)).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  await clock.advance(600_001);
  expect(backoff.leftMs("a", clock.monotonicMs())).toBe(0);
  backoff.failed("a", clock.monotonicMs());
  expect(backoff.delayMs("a")).toBe(10_000);
});

test("a wall clock that jumps changes nothing", async () => {
  const clock = new VirtualClock();
  const backoff = new Backoff(clock, { initialMs: 10_000, maxMs: 300_000 });
  backoff.failed("a", clock.monotonicMs());
  clock.stepWall(-86_400_000);
  expect(backoff.leftMs("a", clock.monotonicMs())).toBe(10_000);
});
