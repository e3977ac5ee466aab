import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolder } from "./make-folder.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "folder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("makes what lacks, closed to others, and keeps what is there", () => {
  expect(makeFolder(path.join(folder, "a", "b"), 0o700)).toBe(path.join(folder, "a"));
  for (const part of ["a", "a/b"]) expect(statSync(path.join(folder, part)).mode & 0o777).toBe(0o700);
  expect(makeFolder(path.join(folder, "a", "b"), 0o755)).toBeUndefined();
  expect(statSync(path.join(folder, "a", "b")).mode & 0o777).toBe(0o700);
});

test("says so where nothing can be made, and does not try for ever", () => {
  expect(() => makeFolder("/proc/keelson/data", 0o700)).toThrow("ENOENT");
  expect(() => makeFolder("/dev/null/data", 0o700)).toThrow();
  writeFileSync(path.join(folder, "file"), "");
  expect(() => makeFolder(path.join(folder, "file"), 0o700)).toThrow("is not a folder");
});
