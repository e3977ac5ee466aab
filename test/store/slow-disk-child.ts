import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { openStore } from "../../services/store/open-store.ts";

/** Keeps a short lease alive while every sync takes long. Argument: the data directory. */
const store = await openStore({
  dataDir: process.argv[2]!,
  clock: realClock,
  random: realRandom,
  log: silentLog,
  onFatal: () => process.exit(70),
});
const key = Buffer.from("k");
const { id } = await store.leaseGrant({ ttlSeconds: 2 });
const put = (value: string) =>
  store.txn({ compare: [], success: [{ type: "put", key, value: Buffer.from(value), lease: id }] });
const start = performance.now();
let slowestKeepAliveMs = 0;
let done = false;
const keeping = (async () => {
  while (!done) {
    const asked = performance.now();
    if ((await store.leaseKeepAlive(id)) === 0) throw new Error("the lease is lost");
    slowestKeepAliveMs = Math.max(slowestKeepAliveMs, performance.now() - asked);
    await realClock.sleep(100);
  }
})();
for (let i = 0; i < 3; i++) await put(String(i));
const writingMs = performance.now() - start;
const { count } = await store.range({ key });
done = true;
await keeping;
process.send?.({ writingMs, slowestKeepAliveMs, count });
process.exit(0);
