import { SplitCluster } from "../cluster/split/split-cluster.ts";
import { runUntilSignal } from "../lib/process/life-cycle.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { CLUSTER_START_FLAGS, clusterStart } from "./cluster-start.ts";
import { type Command, refusing } from "./command.ts";

/** What `keelson up --layout=split` starts. */
export const runSplitCommand: Command = {
  summary: "runs every role as a process of its own, and keeps them running (what keelson up --layout=split starts)",
  usage: `keelson run split ${CLUSTER_START_FLAGS}`,
  async run(args, io) {
    const { log, progress, ...options } = clusterStart(args, io);
    const cluster = new SplitCluster({ clock: realClock, random: realRandom, log, progress }, options);
    return refusing(() => runUntilSignal(cluster, log));
  },
};
