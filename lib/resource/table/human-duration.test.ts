import { expect, test } from "vitest";
import { humanAge, humanDuration } from "./human-duration.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

const cases: [durationMs: number, text: string][] = [
  [0, "0s"],
  [-SECOND, "0s"],
  [-2 * SECOND, "<invalid>"],
  [SECOND - 1, "0s"],
  [70 * SECOND, "70s"],
  [2 * MINUTE - 1, "119s"],
  [2 * MINUTE, "2m"],
  [150 * SECOND, "2m30s"],
  [10 * MINUTE - SECOND, "9m59s"],
  [10 * MINUTE + 30 * SECOND, "10m"],
  [3 * HOUR - SECOND, "179m"],
  [3 * HOUR, "3h"],
  [3 * HOUR + 5 * MINUTE, "3h5m"],
  [8 * HOUR, "8h"],
  [9 * HOUR + 59 * MINUTE, "9h"],
  [47 * HOUR, "47h"],
  [2 * DAY, "2d"],
  [7 * DAY + 23 * HOUR, "7d23h"],
  [8 * DAY + 3 * HOUR, "8d"],
  [45 * DAY, "45d"],
  [2 * YEAR - HOUR, "729d"],
  [2 * YEAR, "2y"],
  [2 * YEAR + 3 * DAY, "2y3d"],
  [8 * YEAR - HOUR, "7y364d"],
  [8 * YEAR + 100 * DAY, "8y"],
];
test.each(cases)("%i ms is %s", (durationMs, text) => {
  expect(humanDuration(durationMs)).toBe(text);
});

test("the age of a time", () => {
  expect(humanAge("2026-01-01T00:00:00Z", Date.UTC(2026, 0, 1, 0, 0, 5))).toBe("5s");
  expect(humanAge("2026-01-01T00:00:00.500000Z", Date.UTC(2026, 0, 1, 0, 2, 30))).toBe("2m29s");
  expect(humanAge(undefined, 0)).toBe("<unknown>");
});
