import { DecodeError } from "./decode-error.ts";

/** Seconds since 1970 and nanoseconds, as in `google.protobuf.Timestamp`. */
export interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

/** Go's zero time, which upstream's types take for "not set". */
export const ZERO_TIME = "0001-01-01T00:00:00Z";
export const ZERO_MICRO_TIME = "0001-01-01T00:00:00.000000Z";
export const ZERO_SECONDS = -62_135_596_800;

const MAX_SECONDS = 253_402_300_799;
const MIN_SECONDS = -62_167_219_200;
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

function daysIn(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && leap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
}

/** Reads RFC 3339 with any offset; `decimals` demands exactly so many digits of a fraction. */
export function parseInstant(text: string, decimals?: number): Instant {
  const match = RFC3339.exec(text);
  if (match === null || (decimals !== undefined && match[7]?.length !== decimals)) {
    throw new DecodeError(decimals === undefined ? "not an RFC 3339 time" : "not an RFC 3339 time with six decimals");
  }
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const offsetHours = Number(match[9] ?? 0);
  const offsetMinutes = Number(match[10] ?? 0);
  const inRange =
    month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month) && hour < 24 && minute < 60 && second < 60;
  if (!inRange || offsetHours > 24 || offsetMinutes >= 60) {
    throw new DecodeError("not an RFC 3339 time: out of range");
  }
  const offsetSeconds = (offsetHours * 60 + offsetMinutes) * 60 * (match[8] === "-" ? -1 : 1);
  const seconds = daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offsetSeconds;
  const nanos = Number((match[7] ?? "").slice(0, 9).padEnd(9, "0"));
  return { seconds, nanos };
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

/** `2006-01-02T15:04:05` in UTC, without a zone. */
function formatSeconds(seconds: number): string {
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) {
    throw new DecodeError("time is out of range");
  }
  const days = Math.floor(seconds / 86_400);
  const rest = seconds - days * 86_400;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const clock = `${pad(Math.floor(rest / 3600), 2)}:${pad(Math.floor(rest / 60) % 60, 2)}:${pad(rest % 60, 2)}`;
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${clock}`;
}

/** The canonical text of Time: UTC, whole seconds. */
export function formatTimeText(seconds: number): string {
  return memo.textOf(seconds);
}

/** Seconds since 1970 of a canonical text of Time. */
export function timeSeconds(text: string): number {
  return memo.secondsOf(text);
}

/** The canonical text of MicroTime: UTC, six decimals, the rest cut off. */
export function formatMicroTimeText(seconds: number, nanos: number): string {
  return `${formatSeconds(seconds)}.${pad(Math.floor(nanos / 1000), 6)}Z`;
}

/** `text` in the canonical form of Time; the fraction is dropped. */
export function canonicalTime(text: string): string {
  return formatTimeText(timeSeconds(text));
}

/** `text`, which must have exactly six decimals, in the canonical form of MicroTime. */
export function canonicalMicroTime(text: string): string {
  const instant = parseInstant(text, 6);
  return formatMicroTimeText(instant.seconds, instant.nanos);
}

const PLACES = 256;
const MAX_REMEMBERED_LENGTH = 40;

/**
 * Times repeat much, within an object and between objects: by place, the last text and its second are kept, so that most
 * times are neither parsed nor formatted, and objects share the strings.
 */
class TimeMemo {
  readonly #seconds = new Array<number>(PLACES).fill(Number.NaN);
  readonly #texts = new Array<string>(PLACES).fill("");
  readonly #parsedTexts = new Array<string>(PLACES).fill("");
  readonly #parsedSeconds = new Array<number>(PLACES).fill(0);

  textOf(seconds: number): string {
    const place = seconds & (PLACES - 1);
    if (this.#seconds[place] !== seconds) {
      this.#texts[place] = `${formatSeconds(seconds)}Z`;
      this.#seconds[place] = seconds;
    }
    return this.#texts[place]!;
  }

  secondsOf(text: string): number {
    // Digits of the second and of the minute, in `2006-01-02T15:04:05Z`.
    const place = (text.charCodeAt(18) + text.charCodeAt(17) * 10 + text.charCodeAt(15) * 3) & (PLACES - 1);
    if (this.#parsedTexts[place] !== text) {
      const { seconds } = parseInstant(text);
      if (text.length > MAX_REMEMBERED_LENGTH) {
        return seconds;
      }
      this.#parsedSeconds[place] = seconds;
      this.#parsedTexts[place] = text;
    }
    return this.#parsedSeconds[place]!;
  }
}

const memo = new TimeMemo();
