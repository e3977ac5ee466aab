/** A timer that has not fired yet. */
export interface Timer {
  /** Stops it; does nothing when it has fired. */
  cancel(): void;
}

/**
 * The only source of time. Wall time is for what people read (timestamps), monotonic time for what must
 * not jump (leases, back-off, time-outs).
 */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds since an arbitrary moment; never goes back. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`, which may be longer than 2^31 ms. */
  after(delayMs: number, callback: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** RFC 3339 in UTC to the second, the form of `metav1.Time`. */
export function formatTime(ms: number): string {
  return `${new globalThis.Date(ms).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 in UTC with six decimals, the form of `metav1.MicroTime`. */
export function formatMicroTime(ms: number): string {
  const iso = new globalThis.Date(ms).toISOString();
  return `${iso.slice(0, 23)}000Z`;
}

/** RFC 3339 in UTC with nine decimals, the form of time stamps in container logs. */
export function formatNanoTime(ms: number): string {
  return new globalThis.Date(ms).toISOString().replace("Z", "000000Z");
}

/** Milliseconds since the Unix epoch of an RFC 3339 time; NaN when the text is none. */
export function parseTimeMs(text: string): number {
  return globalThis.Date.parse(text);
}
