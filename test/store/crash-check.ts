import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { openStore } from "../../services/store/open-store.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";
import type { Promised } from "./crash-child.ts";

const bytes = (text: string) => Buffer.from(text);

function reopen(dataDir: string): Promise<SqliteStore> {
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

/** Opens what the crash has left and holds it against what was promised (invariants 1 to 4). */
export async function checkAfterCrash(dataDir: string, promised: readonly Promised[]): Promise<void> {
  const openedAt = performance.now();
  const store = await reopen(dataDir);
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
