import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { PortBook } from "./port-book.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-ports-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const book = (seed: number) => new PortBook({ random: new SeededRandom(seed) }, path.join(folder, "ports.json"));

test("ports differ, stay over restarts, and one that somebody took is replaced", async () => {
  const first = await book(1).settle(["a", "b"]);
  expect(first.a).not.toBe(first.b);
  expect(await book(2).settle(["a", "b"])).toEqual(first);
  const thief = createServer();
  await new Promise<void>((resolve) => thief.listen({ port: first.a, host: "127.0.0.1" }, resolve));
  try {
    const next = await book(3).settle(["a", "b", "c"]);
    expect(next.a).not.toBe(first.a);
    expect(next.b).toBe(first.b);
    expect(new Set(Object.values(next)).size).toBe(3);
  } finally {
    await new Promise((resolve) => thief.close(resolve));
  }
});

test("a damaged book is written anew", async () => {
  writeFileSync(path.join(folder, "ports.json"), "{");
  expect((await book(1).settle(["a"])).a).toBeGreaterThanOrEqual(20_000);
});
