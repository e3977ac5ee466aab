import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openBelow } from "./sub-path.ts";

describe("opening below a root (CVE-2017-1002101, CVE-2021-25741)", () => {
  let dir: string;
  let root: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "keelson-sub-path-"));
    root = join(dir, "volume");
    mkdirSync(join(root, "a"), { recursive: true });
    writeFileSync(join(root, "a", "file"), "inside");
    writeFileSync(join(dir, "secret"), "outside");
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const read = async (subPath: string): Promise<string> => {
    const handle = await openBelow(root, subPath);
    try {
      return readFileSync(`/proc/self/fd/${handle.fd}`, "utf8");
    } finally {
      await handle.close();
    }
  };

  test("a file, through links that stay inside", async () => {
    symlinkSync("a", join(root, "link"));
    symlinkSync("../a/file", join(root, "a", "again"));
    for (const path of ["a/file", "./a//file", "link/file", "link/again"]) expect(await read(path)).toBe("inside");
  });

  test("a folder that is missing is made", async () => {
    const handle = await openBelow(root, "x/y");
    expect((await handle.stat()).isDirectory()).toBe(true);
    await handle.close();
  });

  test.each([
    ["a link to the outside", "../secret"],
    ["an absolute link", "/etc/passwd"],
    ["a link to itself", "evil"],
    ["up and up", "../../../../etc/passwd"],
  ])("%s is refused", async (_what, target) => {
    symlinkSync(target, join(root, "evil"));
    await expect(read("evil")).rejects.toThrow("leaves its volume");
  });

  test("dots that climb are refused", async () => {
    for (const path of ["..", "a/../../secret", "../secret"])
      await expect(read(path)).rejects.toThrow("leaves its volume");
  });
});
