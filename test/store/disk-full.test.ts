import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { ended } from "../kit/ended.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import type { DiskFullReport } from "./disk-full-child.ts";

const why = process.getuid?.() === 0 ? whyNotPrograms(["unshare", "mount"]) : "needs root";

describe.skipIf(skipping("disk full", why))("F6: the disk is full", () => {
  let child: ChildProcess | undefined;
  let dir: string;
  afterEach(async () => {
    if (child !== undefined) await ended(child);
    rmSync(dir, { recursive: true, force: true });
  });

  test("invariant 9: alarm first; then reads, deletes and compaction work, and puts again without a restart", async () => {
    dir = mkdtempSync(path.join(tmpdir(), "keelson-full-"));
    const program = path.join(import.meta.dirname, "disk-full-child.ts");
    // The file system lives in the child's mount namespace and ends with it.
    const script = 'mount -t tmpfs -o size=96m tmpfs "$1" && exec "$2" "$3" "$1/data"';
    const argv = ["--mount", "sh", "-c", script, "sh", dir, process.execPath, program];
    child = spawn("unshare", argv, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const report = await new Promise<DiskFullReport | { fatal: string }>((resolve, reject) => {
      child?.once("message", (message) => resolve(message as DiskFullReport));
      child?.once("exit", (code) => reject(new Error(`the child ended with ${code}`)));
    });
    const full = "RESOURCE_EXHAUSTED etcdserver: mvcc: database space exceeded";
    expect(report).toMatchObject({ alarmAtFirst: false, alarmBeforeFull: true, refusal: full, refusedAgain: full });
    const { putCount, readBack, deleted, watchSawDeletes, compacted, putsAfterwards, survivors } =
      report as DiskFullReport;
    expect(putCount).toBeGreaterThan(500);
    expect(readBack).toBe(putCount);
    expect(deleted).toBe(Math.ceil(putCount / 2));
    expect(watchSawDeletes).toBe(deleted);
    expect(compacted).toBe(true);
    expect(putsAfterwards).toBe(50);
    expect(survivors).toBe(putCount - deleted + putsAfterwards);
  });
});
