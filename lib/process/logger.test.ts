import { expect, test } from "vitest";
import { makeLogger } from "./logger.ts";

test("an error is written with its message and what caused it", () => {
  const lines: string[] = [];
  const log = makeLogger("info", { write: (line) => void lines.push(line) });
  log.warn("node lease not renewed", { error: new Error("outer", { cause: new TypeError("inner") }) });
  log.warn("as text", { error: "text" });
  expect(lines.map((line) => JSON.parse(line).error)).toEqual(["Error: outer; caused by TypeError: inner", "text"]);
});
