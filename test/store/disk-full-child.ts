import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { StoreError } from "../../lib/store/store.ts";
import { openStore } from "../../services/store/open-store.ts";

/** Fills a small file system with the store on it, and says what happened. Argument: the data directory. */
const store = await openStore({
  dataDir: process.argv[2]!,
  clock: realClock,
  random: realRandom,
  log: silentLog,
  onFatal: (reason) => {
    process.send?.({ fatal: reason });
    process.exit(70);
  },
  minFreeDiskBytes: 4 * 1024 * 1024,
});

export interface DiskFullReport {
  alarmAtFirst: boolean;
  alarmBeforeFull: boolean;
  putCount: number;
  refusal: string;
  readBack: number;
  refusedAgain: string;
  deleted: number;
  compacted: boolean;
  watchSawDeletes: number;
  putsAfterwards: number;
  survivors: number;
}

const key = (i: number) => Buffer.from(`/full/${String(i).padStart(5, "0")}`);
const everything = { key: Buffer.from("/full/"), rangeEnd: Buffer.from("/full0") };
const put = (i: number) =>
  store.txn({ compare: [], success: [{ type: "put", key: key(i), value: Buffer.alloc(50_000, i) }] });
const refusalOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return "";
  } catch (error) {
    return error instanceof StoreError ? `${error.code} ${error.message}` : String(error);
  }
};

const report: Partial<DiskFullReport> = { alarmAtFirst: store.alarm, alarmBeforeFull: false, refusal: "" };
let putCount = 0;
for (; report.refusal === "" && putCount < 5_000; putCount++) {
  report.alarmBeforeFull = store.alarm;
  report.refusal = await refusalOf(put(putCount));
}
report.putCount = --putCount;
report.readBack = (await store.range({ ...everything })).kvs.filter((kv) => kv.value.length === 50_000).length;
report.refusedAgain = await refusalOf(put(putCount + 1));
const watch = store.watch(everything)[Symbol.asyncIterator]();
await watch.next();
report.deleted = 0;
for (let i = 0; i < putCount; i += 2) {
  await store.txn({ compare: [], success: [{ type: "delete", key: key(i) }] });
  report.deleted++;
}
report.watchSawDeletes = 0;
while (report.watchSawDeletes < report.deleted) {
  const { value } = await watch.next();
  if (value?.type === "events") report.watchSawDeletes += value.events.length;
}
await store.compact(store.revision, true);
report.compacted = true;
report.putsAfterwards = 0;
for (let i = 0; i < 50; i++) if ((await refusalOf(put(i * 2))) === "") report.putsAfterwards++;
await store.close();
const again = await openStore({
  dataDir: process.argv[2]!,
  clock: realClock,
  random: realRandom,
  log: silentLog,
  onFatal: () => process.exit(70),
});
report.survivors = (await again.range({ ...everything, countOnly: true })).count;
await again.close();
process.send?.(report);
process.disconnect();
