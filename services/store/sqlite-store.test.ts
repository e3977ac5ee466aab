import { expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { storeSuite } from "../../lib/store/store.suite.ts";
import { openStore } from "./open-store.ts";
import { EVERYTHING, openTestStore, put } from "./testkit/test-store.ts";

const clock = new VirtualClock();

storeSuite("in memory, on this thread", {
  open: () =>
    openStore({
      clock,
      random: realRandom,
      log: silentLog,
      onFatal: (reason) => {
        throw new Error(reason);
      },
    }),
  advance: (ms) => clock.advance(ms),
  minLeaseSeconds: 1,
  progressTrusted: true,
  keepsDeletionAtCompactRevision: true,
});

test("invariant 8: after a commit error whoever waits is told UNAVAILABLE, and nothing is taken any more", async () => {
  const reasons: string[] = [];
  const store = await openTestStore({ failpoint: "commit-error:2", onFatal: (reason) => reasons.push(reason) });
  await put(store, "a", "1");
  const watch = store.watch(EVERYTHING)[Symbol.asyncIterator]();
  await watch.next();
  const waiting = watch.next();
  const answers = await Promise.allSettled([put(store, "a", "2"), put(store, "b", "2"), store.range(EVERYTHING)]);
  expect(answers.map((one) => one.status === "rejected" && (one.reason as { code: string }).code)).toEqual([
    "UNAVAILABLE",
    "UNAVAILABLE",
    "UNAVAILABLE",
  ]);
  expect(reasons.length).toBe(1);
  expect((await waiting).done).toBe(true);
  await expect(put(store, "c", "3")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(store.status()).rejects.toMatchObject({ code: "UNAVAILABLE" });
});
