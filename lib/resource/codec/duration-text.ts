import { DecodeError } from "./decode-error.ts";

const UNIT_NANOS: Record<string, bigint> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const SYNTAX = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const TERM = /(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g;
const MAX_INT64 = 2n ** 63n - 1n;

/** Nanoseconds of a Go duration such as `1h2m3.5s`. */
export function parseDuration(text: string): bigint {
  if (text === "0" || text === "+0" || text === "-0") {
    return 0n;
  }
  const match = SYNTAX.exec(text);
  if (match === null || text.length > 200) {
    throw new DecodeError("not a duration such as 1h2m3.5s");
  }
  let nanos = 0n;
  for (const [, whole = "", decimals = "", unit = ""] of (match[2] ?? "").matchAll(TERM)) {
    const unitNanos = UNIT_NANOS[unit] ?? 0n;
    nanos += BigInt(whole || "0") * unitNanos + (BigInt(decimals || "0") * unitNanos) / 10n ** BigInt(decimals.length);
  }
  if (nanos > MAX_INT64 && !(match[1] === "-" && nanos === MAX_INT64 + 1n)) {
    throw new DecodeError("duration is out of range");
  }
  return match[1] === "-" ? -nanos : nanos;
}

function withFraction(nanos: bigint, unitNanos: bigint): string {
  const whole = nanos / unitNanos;
  const digits = String(unitNanos).length - 1;
  const fraction = String(nanos % unitNanos)
    .padStart(digits, "0")
    .replace(/0+$/, "");
  return fraction === "" || digits === 0 ? String(whole) : `${whole}.${fraction}`;
}

/** Go's text of a duration: the largest of h, m, s first; below a second one unit of ms, µs or ns. */
export function formatDuration(nanos: bigint): string {
  const sign = nanos < 0n ? "-" : "";
  const magnitude = nanos < 0n ? -nanos : nanos;
  if (magnitude === 0n) {
    return "0s";
  }
  if (magnitude < 1_000n) {
    return `${sign}${magnitude}ns`;
  }
  if (magnitude < 1_000_000n) {
    return `${sign}${withFraction(magnitude, 1_000n)}µs`;
  }
  if (magnitude < 1_000_000_000n) {
    return `${sign}${withFraction(magnitude, 1_000_000n)}ms`;
  }
  const minutes = magnitude / 60_000_000_000n;
  const seconds = withFraction(magnitude % 60_000_000_000n, 1_000_000_000n);
  if (minutes === 0n) {
    return `${sign}${seconds}s`;
  }
  return minutes < 60n ? `${sign}${minutes}m${seconds}s` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}s`;
}
