import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ended } from "../kit/ended.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { checkAfterCrash } from "./crash-check.ts";
import type { Promised } from "./crash-child.ts";

const CHILD = path.join(import.meta.dirname, "crash-child.ts");

let dataDir: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), "keelson-crash-"));
});
afterEach(async () => {
  if (child !== undefined) await ended(child);
  rmSync(dataDir, { recursive: true, force: true });
});

interface Crash {
  readonly promised: readonly Promised[];
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Runs the child until it dies, by its failpoint or by our hand once `until` is fulfilled. */
function crash(failpoint: string, round: number, until: (promised: readonly Promised[]) => boolean): Promise<Crash> {
  child = fork(CHILD, [dataDir, failpoint, String(round)], { execArgv: [], stdio: "inherit" });
  return watchedUntil(until);
}

function watchedUntil(until: (promised: readonly Promised[]) => boolean): Promise<Crash> {
  const running = child!;
  const promised: Promised[] = [];
  running.on("message", (message: Promised) => {
    promised.push(message);
    if (until(promised)) running.kill("SIGKILL");
  });
  return new Promise((resolve) => {
    running.once("close", (exitCode, signal) => resolve({ promised, exitCode, signal }));
  });
}

describe("F1: kill -9, again and again on one data directory", () => {
  test("invariants 1, 2, 3 and 4 hold after each", async () => {
    for (let round = 0; round < 8; round++) {
      const wanted = 50 + Math.floor(Math.random() * 400);
      const result = await crash("-", round * 100_000, (promised) => promised.length >= wanted);
      expect(result.signal).toBe("SIGKILL");
      await checkAfterCrash(dataDir, result.promised);
    }
  });
});

describe("F3: the process ends at every point of a commit, a compaction, a copy", () => {
  for (const failpoint of [
    "before-commit:1",
    "before-commit:40",
    "after-commit:1",
    "after-commit:40",
    "before-publish:1",
    "before-publish:40",
    "before-compaction-batch:1",
    "before-compaction-batch:3",
    "after-compaction-batch:1",
    "after-compaction-batch:3",
    "during-snapshot:1",
    "before-defragment:1",
    "after-defragment:1",
  ]) {
    test(`${failpoint}: reopened with all that was acknowledged`, async () => {
      const result = await crash(failpoint, 0, () => false);
      expect(result.signal).toBe("SIGKILL");
      expect(result.promised[0]).toEqual({ kind: "open" });
      await checkAfterCrash(dataDir, result.promised);
    });
  }
});

describe("F5: a commit fails and nobody knows whether it happened", () => {
  test("invariant 8: the process ends at once with an error, and nothing is acknowledged any more", async () => {
    const result = await crash("commit-error:30", 0, () => false);
    expect(result).toMatchObject({ exitCode: 70, signal: null });
    expect(result.promised.filter((one) => one.kind === "ack").length).toBeGreaterThan(0);
    await checkAfterCrash(dataDir, result.promised);
  });

  test.skipIf(skipping("fsync EIO", whyNotPrograms(["strace"])))(
    "invariant 8: the disk answers fsync with EIO: the process ends within a second",
    async () => {
      // The 60th fsync of the process fails, and every one after it.
      const inject = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"];
      const argv = [...inject, "inject=fsync,fdatasync:error=EIO:when=60+", process.execPath, CHILD, dataDir, "-", "0"];
      child = spawn("strace", argv, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      let lastAckAt = 0;
      const result = await watchedUntil((promised) => {
        if (promised.at(-1)?.kind === "ack") lastAckAt = performance.now();
        return false;
      });
      expect(performance.now() - lastAckAt).toBeLessThan(1_000);
      expect(result.exitCode).toBe(70);
      expect(result.promised.filter((one) => one.kind === "ack").length).toBeGreaterThan(0);
      await checkAfterCrash(dataDir, result.promised);
    },
  );

  test.skipIf(skipping("slow fsync", whyNotPrograms(["strace"])))(
    "a disk that takes 1.5 s to sync costs time and no lease",
    async () => {
      const flags = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"];
      const program = path.join(import.meta.dirname, "slow-disk-child.ts");
      // Opening makes some syncs of its own, which are not slowed down.
      const slow = "inject=fsync,fdatasync:delay_exit=1500000:when=9+";
      const argv = [...flags, slow, process.execPath, program, dataDir];
      const running = spawn("strace", argv, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      child = running;
      const report = await new Promise<Record<string, number>>((resolve, reject) => {
        running.once("message", (message) => resolve(message as Record<string, number>));
        running.once("exit", (code) => reject(new Error(`the child ended with ${code}`)));
      });
      expect(report["count"]).toBe(1);
      expect(report["writingMs"]).toBeGreaterThan(1_500);
      expect(report["slowestKeepAliveMs"]).toBeLessThan(1_000);
    },
  );
});
