import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "./command.ts";
import { DATA_DIR_VERSION, DataDir } from "./data-dir.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-data-dir-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a record is read back; before the first start there is none", () => {
  const dataDir = new DataDir(folder);
  expect(dataDir.readRecord()).toBeUndefined();
  dataDir.writeRecord({ id: "abc", nodes: 2 });
  expect(dataDir.readRecord()).toEqual({ version: DATA_DIR_VERSION, id: "abc", nodes: 2 });
});

test("a newer version and a damaged record are refused with the remedy", () => {
  const dataDir = new DataDir(folder);
  writeFileSync(dataDir.file("cluster.json"), JSON.stringify({ version: DATA_DIR_VERSION + 1 }));
  expect(() => dataDir.readRecord()).toThrow(/use the Keelson that made it/);
  writeFileSync(dataDir.file("cluster.json"), "{");
  expect(() => dataDir.readRecord()).toThrow(/down --purge/);
});

test("a folder that does not exist yet is usable when its parent is, a file is not", () => {
  new DataDir(path.join(folder, "a", "b")).ensureUsable();
  writeFileSync(path.join(folder, "file"), "");
  expect(() => new DataDir(path.join(folder, "file")).ensureUsable()).toThrow(UsageError);
});

test("make is repeatable", () => {
  const dataDir = new DataDir(path.join(folder, "new"));
  dataDir.make();
  dataDir.make();
  mkdirSync(dataDir.file("run"), { recursive: true });
});
