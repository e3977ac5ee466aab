import { writeSync } from "node:fs";
import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { openStore } from "../../services/store/open-store.ts";

/** Writes for a while and says on standard output what was acknowledged. Argument: the data directory. */
const store = await openStore({
  dataDir: process.argv[2]!,
  clock: realClock,
  random: realRandom,
  log: silentLog,
  onFatal: () => process.exit(70),
});

async function write(name: string, value: string): Promise<void> {
  const success = [1, 2, 3].map((part) => ({
    type: "put" as const,
    key: Buffer.from(`/crash/${name}/${part}`),
    value: Buffer.from(value.padEnd(3_000, ".")),
  }));
  const { revision } = await store.txn({ compare: [], success });
  writeSync(1, `${JSON.stringify({ kind: "ack", revision, name, value })}\n`);
}

await Promise.all(
  Array.from({ length: 4 }, async (_, writer) => {
    for (let round = 0; round < 60; round++) await write(`w${writer}`, `${writer}-${round}`);
  }),
);
await store.close();
