import type { Clock, Timer } from "../core/clock.ts";

/** Longest delay that Node's timers take; a longer one would fire at once. */
const TIMER_LIMIT_MS = 2 ** 31 - 1;

/** The machine's clock. Timers do not keep the process alive on their own account only when `unref` is asked for. */
export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    return chainedTimer(delayMs, callback);
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const timer = chainedTimer(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

function chainedTimer(delayMs: number, callback: () => void): Timer {
  let handle: NodeJS.Timeout;
  const arm = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, TIMER_LIMIT_MS);
    handle = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : callback()), stepMs);
  };
  arm(Math.max(0, delayMs));
  return { cancel: () => clearTimeout(handle) };
}
