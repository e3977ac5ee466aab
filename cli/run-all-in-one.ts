import { AllInOne } from "../cluster/all-in-one.ts";
import { runUntilSignal } from "../lib/process/life-cycle.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { CLUSTER_START_FLAGS, clusterStart } from "./cluster-start.ts";
import type { Command } from "./command.ts";

/** What `keelson up` starts. */
export const runAllInOneCommand: Command = {
  summary: "runs every role in one process (what keelson up starts)",
  usage: `keelson run all-in-one ${CLUSTER_START_FLAGS}`,
  async run(args, io) {
    const { log, progress, ...options } = clusterStart(args, io);
    const onFatal = (reason: string) => {
      log.error("the store cannot go on; the process ends", { reason });
      process.exit(1);
    };
    const components = { clock: realClock, random: realRandom, log, progress, onFatal };
    return runUntilSignal(new AllInOne(components, options), log);
  },
};
