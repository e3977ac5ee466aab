import { expect, test } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";

test("timers fire in order of due time, then of setting, and see their own time", async () => {
  const clock = new VirtualClock(0);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`c@${clock.monotonicMs()}`));
  clock.after(10, () => {
    seen.push(`a@${clock.monotonicMs()}`);
    clock.after(5, () => seen.push(`nested@${clock.nowMs()}`));
  });
  clock.after(10, () => seen.push(`b@${clock.monotonicMs()}`));
  await clock.advance(30);
  expect(seen).toEqual(["a@10", "b@10", "nested@15", "c@20"]);
  expect(clock.monotonicMs()).toBe(30);
  expect(clock.pendingTimers).toBe(0);
});

test("a chain of sleeps ends at the sum of them, also beyond 2^31 ms", async () => {
  const clock = new VirtualClock();
  let endedAtMs = -1;
  const run = async () => {
    await clock.sleep(1_000);
    await clock.sleep(2 ** 32);
    endedAtMs = clock.monotonicMs();
  };
  const running = run();
  await clock.advance(2 ** 32 + 999);
  expect(endedAtMs).toBe(-1);
  await clock.advance(1);
  expect(endedAtMs).toBe(2 ** 32 + 1_000);
  await running;
});

test("an aborted sleep rejects with the reason and leaves no timer", async () => {
  const clock = new VirtualClock();
  const aborter = new AbortController();
  const sleeping = clock.sleep(1_000, aborter.signal);
  aborter.abort(new Error("enough"));
  await expect(sleeping).rejects.toThrow("enough");
  await expect(clock.sleep(1, aborter.signal)).rejects.toThrow("enough");
  expect(clock.pendingTimers).toBe(0);
});

test("a step of the wall time moves no timer", async () => {
  const clock = new VirtualClock(1_000);
  let fired = false;
  clock.after(100, () => {
    fired = true;
  });
  clock.stepWall(3_600_000);
  await clock.advance(99);
  expect(fired).toBe(false);
  expect(clock.nowMs()).toBe(3_601_099);
});

test("advanceUntil stops at the first timer after which the condition holds", async () => {
  const clock = new VirtualClock();
  let ticks = 0;
  const tick = () => {
    ticks++;
    clock.after(10, tick);
  };
  tick();
  expect(await clock.advanceUntil(() => ticks === 4)).toBe(true);
  expect(clock.monotonicMs()).toBe(30);
  expect(await clock.advanceUntil(() => false, 100)).toBe(false);
  expect(clock.monotonicMs()).toBe(130);
});
