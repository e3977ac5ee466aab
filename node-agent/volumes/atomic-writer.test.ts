import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isSafePath, writeAtomically } from "./atomic-writer.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "keelson-writer-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

let serial = 0;
const write = (files: Record<string, string>, mode = 0o644) =>
  writeAtomically(
    dir,
    new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }])),
    { unique: `set${serial++}` },
  );
const shown = () =>
  readdirSync(dir)
    .filter((name) => !name.startsWith(".."))
    .sort();

describe("a volume's files", () => {
  test("appear under their names, also in folders, with their mode", async () => {
    expect(await write({ a: "1", "d/b": "2" }, 0o400)).toBe(true);
    expect(shown()).toEqual(["a", "d"]);
    expect(readFileSync(join(dir, "a"), "utf8")).toBe("1");
    expect(readFileSync(join(dir, "d", "b"), "utf8")).toBe("2");
    expect(statSync(join(dir, "a")).mode & 0o777).toBe(0o400);
  });

  test("change together, through one link; what is gone goes, and the old set is removed", async () => {
    await write({ a: "1", b: "1" });
    const before = readlinkSync(join(dir, "..data"));
    expect(await write({ a: "2", c: "2" })).toBe(true);
    expect(shown()).toEqual(["a", "c"]);
    expect(readlinkSync(join(dir, "a"))).toBe("..data/a");
    expect(readdirSync(dir)).not.toContain(before);
  });

  test("that did not change are left alone", async () => {
    await write({ a: "1" });
    const before = readlinkSync(join(dir, "..data"));
    expect(await write({ a: "1" })).toBe(false);
    expect(readlinkSync(join(dir, "..data"))).toBe(before);
  });
});

test.each(["", "/etc/passwd", "..", "../x", "a/../b", "..data", "a//b", "a/.", "a\0b"])(
  "%j is not a safe path",
  (path) => {
    expect(isSafePath(path)).toBe(false);
  },
);
test.each(["a", "a/b", ".hidden", "a..b"])("%j is a safe path", (path) => {
  expect(isSafePath(path)).toBe(true);
});
