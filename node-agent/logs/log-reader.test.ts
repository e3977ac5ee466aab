import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import { openLogFile, removeLogFiles, rotateLogFile } from "../runtime/cri/log-files.ts";
import { parseLogLine } from "./log-line.ts";
import { type LogOptions, readLog } from "./log-reader.ts";
import { readTail } from "./log-tail.ts";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "keelson-logs-"));
  path = join(dir, "0.log");
});
afterEach(() => rmSync(dir, { recursive: true }));

const line = (text: string, second = 0, tag = "F", stream = "stdout") =>
  `2026-01-01T00:00:${String(second).padStart(2, "0")}.000000000Z ${stream} ${tag} ${text}\n`;

async function read(options: Partial<LogOptions>): Promise<string> {
  const target = { open: () => openLogFile(path), running: async () => false };
  const all = { follow: false, timestamps: false, ...options };
  let text = "";
  const signal = new AbortController().signal;
  for await (const chunk of readLog({ clock: new VirtualClock() }, target, all, signal)) text += Buffer.from(chunk);
  return text;
}

describe("reading", () => {
  test("parts of one line come as one, streams may be chosen, other lines are passed over", async () => {
    writeFileSync(path, [line("a", 0, "P"), line("b"), "garbage\n", line("err", 1, "F", "stderr")].join(""));
    expect(await read({})).toBe("ab\nerr\n");
    expect(await read({ stream: "stderr" })).toBe("err\n");
  });

  test("the last lines are found over more than one chunk", async () => {
    const many = Array.from({ length: 5_000 }, (_, n) => line(`line ${n} ${"x".repeat(100)}`));
    writeFileSync(path, many.join(""));
    for (const tailLines of [1, 700, 4_999, 5_000, 6_000]) {
      const lines = (await read({ tailLines })).trimEnd().split("\n");
      expect(lines).toHaveLength(Math.min(tailLines, 5_000));
      expect(lines.at(-1)).toContain("line 4999 ");
      expect(lines[0]).toContain(`line ${Math.max(0, 5_000 - tailLines)} `);
    }
  });

  test("since a moment; with times; a number of bytes, also within a character's line", async () => {
    writeFileSync(path, [0, 10, 20].map((second) => line(`at ${second}`, second)).join(""));
    expect(await read({ since: "2026-01-01T00:00:10Z" })).toBe("at 10\nat 20\n");
    expect(await read({ timestamps: true, tailLines: 1 })).toBe("2026-01-01T00:00:20.000000000Z at 20\n");
    expect(await read({ limitBytes: 8 })).toBe("at 0\nat ");
  });

  test("an empty log and one that is not there are empty", async () => {
    expect(await read({})).toBe("");
    writeFileSync(path, "");
    expect(await read({ tailLines: 5 })).toBe("");
  });

  test("a followed log goes on in the file that takes its place, and ends with the container", async () => {
    const clock = new VirtualClock();
    let isRunning = true;
    writeFileSync(path, line("one"));
    let text = "";
    const target = { open: () => openLogFile(path), running: async () => isRunning };
    const reading = (async () => {
      const signal = new AbortController().signal;
      for await (const chunk of readLog({ clock }, target, { follow: true, timestamps: false }, signal))
        text += Buffer.from(chunk);
    })();
    const passing = async (expected: string) => {
      for (let i = 0; i < 100 && text !== expected; i++) {
        await clock.advance(200);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(text).toBe(expected);
    };
    await passing("one\n");
    appendFileSync(path, line("two"));
    await rotateLogFile(path, { maxBytes: 1, maxFiles: 3, stamp: "1" }, async () => writeFileSync(path, line("three")));
    await passing("one\ntwo\nthree\n");
    appendFileSync(path, line("four"));
    isRunning = false;
    for (let isOver = false; !isOver; ) {
      void reading.then(() => {
        isOver = true;
      });
      await clock.advance(200);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(text).toBe("one\ntwo\nthree\nfour\n");
  });

  test("the last lines as plain text, for a termination message", async () => {
    writeFileSync(path, Array.from({ length: 100 }, (_, n) => line(`line ${n}`)).join(""));
    const log = await openLogFile(path);
    expect(await readTail(log!, { maxLines: 2, maxBytes: 100 })).toBe("line 98\nline 99\n");
    expect(await readTail(log!, { maxLines: 80, maxBytes: 5 })).toBe("e 99\n");
    await log?.close();
  });
});

describe("rotation", () => {
  const rotate = (stamp: string, maxFiles = 3) =>
    rotateLogFile(path, { maxBytes: 10, maxFiles, stamp }, async () => writeFileSync(path, ""));

  test("moves a log that has grown, and keeps so many", async () => {
    for (const stamp of ["1", "2", "3", "4"]) {
      writeFileSync(path, line("grown"));
      await rotate(stamp);
    }
    expect(readdirSync(dir).sort()).toEqual(["0.log", "0.log.3", "0.log.4"]);
    await removeLogFiles(path);
    expect(readdirSync(dir)).toEqual([]);
  });

  test("leaves a small one, and puts it back when the runtime does not open a new one", async () => {
    writeFileSync(path, "small");
    await rotate("1");
    expect(readdirSync(dir)).toEqual(["0.log"]);
    writeFileSync(path, line("grown"));
    const failing = rotateLogFile(path, { maxBytes: 10, maxFiles: 3, stamp: "2" }, async () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(readdirSync(dir)).toEqual(["0.log"]);
  });
});

test.each(["", "x", "2026 stdout", "t stdin F x", " stdout F x"])("%j is no log line", (text) => {
  expect(parseLogLine(text)).toBeUndefined();
});
