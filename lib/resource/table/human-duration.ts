import { parseInstant } from "../codec/time-text.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

function twoUnits(seconds: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % big) / small);
  return rest === 0
    ? `${Math.floor(seconds / big)}${bigName}`
    : `${Math.floor(seconds / big)}${bigName}${rest}${smallName}`;
}

/**
 * A time span as people read it: `5s`, `2m30s`, `3h`, `45d`, `2y3d`. A span up to two seconds below zero (clocks that
 * differ) is `0s`, one further below `<invalid>`. Source of steps: kubernetes/apimachinery:pkg/util/duration.
 */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 2 * MINUTE) return `${seconds}s`;
  if (seconds < 10 * MINUTE) return twoUnits(seconds, MINUTE, "m", 1, "s");
  if (seconds < 3 * HOUR) return `${Math.floor(seconds / MINUTE)}m`;
  if (seconds < 8 * HOUR) return twoUnits(seconds, HOUR, "h", MINUTE, "m");
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)}h`;
  if (seconds < 8 * DAY) return twoUnits(seconds, DAY, "d", HOUR, "h");
  if (seconds < 2 * YEAR) return `${Math.floor(seconds / DAY)}d`;
  if (seconds < 8 * YEAR) return twoUnits(seconds, YEAR, "y", DAY, "d");
  return `${Math.floor(seconds / YEAR)}y`;
}

/** How long ago an RFC 3339 time was; `<unknown>` when there is none. */
export function humanAge(time: string | undefined, nowMs: number): string {
  if (time === undefined || time === "") return "<unknown>";
  return humanDuration(nowMs - epochMs(time));
}

/** Milliseconds since 1970 of an RFC 3339 time, with fractions. */
export function epochMs(time: string): number {
  const { seconds, nanos } = parseInstant(time);
  return seconds * 1000 + nanos / 1e6;
}
