import { silentLog } from "../../lib/core/log.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { storeSuite } from "../../lib/store/store.suite.ts";
import { openStore } from "./open-store.ts";

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
