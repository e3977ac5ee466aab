import { expect, test, vi } from "vitest";
import { realClock } from "./real-clock.ts";

test("a timer longer than 2^31 ms does not fire at once", async () => {
  vi.useFakeTimers();
  try {
    let fired = 0;
    realClock.after(2 ** 31 + 5_000, () => {
      fired++;
    });
    vi.advanceTimersByTime(2 ** 31 + 4_000);
    expect(fired).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(fired).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test("sleep ends with the signal's reason", async () => {
  const abort = new AbortController();
  const sleeping = realClock.sleep(60_000, abort.signal);
  abort.abort(new Error("enough"));
  await expect(sleeping).rejects.toThrow("enough");
});

test("sleep on an aborted signal rejects without a timer", async () => {
  await expect(realClock.sleep(60_000, AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
});
