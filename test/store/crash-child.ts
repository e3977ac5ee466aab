import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { openStore } from "../../services/store/open-store.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";

/**
 * The process that crash tests end: writers, a watch with progress, compactions and snapshots, each telling the parent
 * what the store has promised. Arguments: data directory, failpoint (or `-`), first round.
 */
const [dataDir = "", failpoint = "-", start = "0"] = process.argv.slice(2);

/** What the store has told its callers, by kind. */
export type Promised =
  | { readonly kind: "open" }
  | { readonly kind: "ack"; readonly revision: number; readonly name: string; readonly value: string }
  | { readonly kind: "event" | "progress" | "compacted"; readonly revision: number }
  | { readonly kind: "error"; readonly code: string };

function tell(promised: Promised): void {
  process.send?.(promised);
}

const bytes = (text: string) => Buffer.from(text);

/** One transaction on three keys: after a crash all three are there or none. */
async function write(store: SqliteStore, writer: number, round: number): Promise<void> {
  const name = `w${writer}`;
  const value = `${writer}-${round}`;
  const success = [1, 2, 3].map((part) => ({
    type: "put" as const,
    key: bytes(`/crash/${name}/${part}`),
    value: bytes(value.padEnd(300, ".")),
  }));
  const { revision } = await store.txn({ compare: [], success });
  tell({ kind: "ack", revision, name, value });
}

async function follow(store: SqliteStore): Promise<void> {
  const watch = store.watch({ key: bytes("/crash/"), rangeEnd: bytes("/crash0") });
  for await (const batch of watch) {
    if (batch.type === "events") {
      tell({ kind: "event", revision: batch.revision });
      watch.requestProgress();
    } else if (batch.type === "progress") {
      tell({ kind: "progress", revision: batch.revision });
    }
  }
}

async function compactAndCopy(store: SqliteStore): Promise<void> {
  for (let i = 1; ; i++) {
    await realClock.sleep(15);
    const target = store.revision - 20;
    if (target > (await store.status()).compactRevision) {
      await store.compact(target, true);
      tell({ kind: "compacted", revision: target });
    }
    if (i % 3 === 0) await (await store.snapshot()).dispose();
    if (i % 4 === 0) await store.defragment();
  }
}

const store = await openStore({
  dataDir,
  clock: realClock,
  random: realRandom,
  log: silentLog,
  onFatal: () => process.exit(70),
  ...(failpoint === "-" ? {} : { failpoint }),
});
tell({ kind: "open" });
void follow(store);
compactAndCopy(store).catch((error: unknown) => tell({ kind: "error", code: String(error) }));
for (let writer = 0; writer < 8; writer++) {
  void (async () => {
    for (let round = Number(start); ; round++) await write(store, writer, round);
  })().catch((error: { code: string }) => tell({ kind: "error", code: error.code }));
}
