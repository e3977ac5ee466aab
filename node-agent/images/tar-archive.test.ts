import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { memorySource, readTarIndex, writeTar } from "./tar-archive.ts";

const text = (value: string) => Buffer.from(value);

test("what is written is read back, byte for byte", async () => {
  const tar = writeTar([
    { path: "bin/", mode: 0o755 },
    { path: "bin/tool", mode: 0o755, content: text("x".repeat(1000)) },
    { path: "bin/link", mode: 0o777, linkTo: "tool" },
    { path: "empty", mode: 0o644 },
  ]);
  expect(tar.length % 512).toBe(0);
  const entries = await readTarIndex(memorySource(tar));
  expect([...entries.values()].map(({ path, type, sizeBytes, target }) => [path, type, sizeBytes, target])).toEqual([
    ["bin", "directory", 0, ""],
    ["bin/tool", "file", 1000, ""],
    ["bin/link", "symlink", 0, "tool"],
    ["empty", "file", 0, ""],
  ]);
  const tool = entries.get("bin/tool")!;
  expect(Buffer.from(tar.subarray(tool.offset, tool.offset + 1000)).toString()).toBe("x".repeat(1000));
});

test.each(["gnu", "pax", "ustar"])("long names of the %s form are read", async (format) => {
  const dir = mkdtempSync(path.join(tmpdir(), "tar-"));
  try {
    const long = `${"d".repeat(90)}/${"f".repeat(60)}`;
    mkdirSync(path.join(dir, "d".repeat(90)));
    writeFileSync(path.join(dir, long), "content");
    execFileSync("tar", ["-C", dir, `--format=${format}`, "-cf", path.join(dir, "t.tar"), `./${long}`]);
    const entries = await readTarIndex(memorySource(await readFile(path.join(dir, "t.tar"))));
    expect(entries.get(long)?.sizeBytes).toBe(7);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("what is not a tar file, or half of one, is refused", async () => {
  await expect(readTarIndex(memorySource(Buffer.alloc(2048, "x")))).rejects.toThrow("not a tar file");
  const tar = writeTar([{ path: "a", mode: 0o644, content: Buffer.alloc(5000) }]);
  await expect(readTarIndex(memorySource(gzipSync(Buffer.alloc(100_000, "ab"), { level: 0 })))).rejects.toThrow(
    "gunzip it first",
  );
  await expect(readTarIndex(memorySource(tar.subarray(0, 2048)))).rejects.toThrow("cut off");
  const broken = Buffer.from(
    writeTar([
      { path: "a", mode: 0o644 },
      { path: "b", mode: 0o644 },
    ]),
  );
  broken.write("X", 512 + 10);
  await expect(readTarIndex(memorySource(broken))).rejects.toThrow("damaged");
});
