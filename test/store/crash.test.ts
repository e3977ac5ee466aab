import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { openStore } from "../../services/store/open-store.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";
import { ended } from "../kit/etcd.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import type { Promised } from "./crash-child.ts";

const CHILD = path.join(import.meta.dirname, "crash-child.ts");
const bytes = (text: string) => Buffer.from(text);

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

function reopen(): Promise<SqliteStore> {
  return openStore({
    dataDir,
    clock: realClock,
    random: realRandom,
    log: silentLog,
    onFatal: (reason) => {
      throw new Error(reason);
    },
  });
}

/** Opens what the crash has left and holds it against what was promised. */
async function check({ promised }: Crash): Promise<void> {
  const openedAt = performance.now();
  const store = await reopen();
  try {
    expect(performance.now() - openedAt, "ready again (F1)").toBeLessThan(5_000);
    const { compactRevision } = await store.status();
    const highest = Math.max(0, ...promised.map((one) => ("revision" in one ? one.revision : 0)));
    expect(store.revision, "invariants 1 and 2: nothing promised is lost").toBeGreaterThanOrEqual(highest);
    const compacted = promised.map((one) => (one.kind === "compacted" ? one.revision : 0));
    expect(compactRevision).toBeGreaterThanOrEqual(Math.max(0, ...compacted));
    await checkHistory(store, compactRevision, promised);
    const { revision } = await store.txn({
      compare: [],
      success: [{ type: "put", key: bytes("/after"), value: bytes("x") }],
    });
    const next = await store.txn({ compare: [], success: [{ type: "put", key: bytes("/after"), value: bytes("y") }] });
    expect(next.revision, "invariant 3").toBe(revision + 1);
    await finishedCompaction(store);
  } finally {
    await store.close();
  }
  expect(readdirSync(dataDir).filter((name) => name.endsWith(".tmp"))).toEqual([]);
}

/** Every revision since the compaction is there, whole, and what was acknowledged is what is found. */
async function checkHistory(store: SqliteStore, compactRevision: number, promised: readonly Promised[]): Promise<void> {
  const acked = new Map<number, string>();
  for (const one of promised) if (one.kind === "ack") acked.set(one.revision, one.value);
  // Revision 1 is the empty store.
  const from = Math.max(2, compactRevision + 1);
  if (from > store.revision) return;
  const watch = store.watch({ key: bytes("/"), rangeEnd: bytes("0"), startRevision: from });
  const parts = new Map<number, string[]>();
  watch.requestProgress();
  for await (const batch of watch) {
    if (batch.type === "progress") break;
    if (batch.type === "cancelled") throw new Error(batch.reason);
    if (batch.type !== "events") continue;
    for (const { kv } of batch.events) {
      const value = Buffer.from(kv.value).toString().replace(/\.+$/, "");
      parts.set(kv.modRevision, [...(parts.get(kv.modRevision) ?? []), value]);
    }
  }
  const revisions = [...parts.keys()];
  expect(revisions, "invariant 3: dense").toEqual(
    Array.from({ length: store.revision - from + 1 }, (_, i) => from + i),
  );
  for (const [revision, values] of parts) {
    if (values[0] === "x" || values[0] === "y") continue;
    expect(values.length, `invariant 4: revision ${revision} is whole`).toBe(3);
    expect(new Set(values).size).toBe(1);
    if (acked.has(revision)) expect(values[0]).toBe(acked.get(revision));
  }
  for (const revision of acked.keys()) if (revision >= from) expect(parts.has(revision)).toBe(true);
}

/** What a cut-off compaction had still to remove goes on to be removed. */
async function finishedCompaction(store: SqliteStore): Promise<void> {
  const target = store.revision;
  await store.compact(target, true);
  const kept = await store.range({ key: bytes("/"), rangeEnd: bytes("0"), revision: target });
  const now = await store.range({ key: bytes("/"), rangeEnd: bytes("0") });
  expect(kept.kvs).toEqual(now.kvs);
}

describe("F1: kill -9, again and again on one data directory", () => {
  test("invariants 1, 2, 3 and 4 hold after each", async () => {
    for (let round = 0; round < 8; round++) {
      const wanted = 50 + Math.floor(Math.random() * 400);
      const result = await crash("-", round * 100_000, (promised) => promised.length >= wanted);
      expect(result.signal).toBe("SIGKILL");
      await check(result);
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
      await check(result);
    });
  }
});

describe("F5: a commit fails and nobody knows whether it happened", () => {
  test("invariant 8: the process ends at once with an error, and nothing is acknowledged any more", async () => {
    const result = await crash("commit-error:30", 0, () => false);
    expect(result).toMatchObject({ exitCode: 70, signal: null });
    expect(result.promised.filter((one) => one.kind === "ack").length).toBeGreaterThan(0);
    await check(result);
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
      await check(result);
    },
  );
});
