import { closeSync, writeSync } from "node:fs";
import nodeModule from "node:module";
import { AllInOne } from "../cluster/all-in-one.ts";
import type { ClusterRecord } from "../cluster/cluster-record.ts";
import { runUntilSignal } from "../lib/process/life-cycle.ts";
import { type LogLevel, makeLogger } from "../lib/process/logger.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { type Command, choiceFlag, integerFlag, parseFlags, stringFlag, UsageError } from "./command.ts";
import { DataDir } from "./data-dir.ts";

const FD_MAX = 1_023;
const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** What `keelson up` starts; the listening socket and the pipe for progress are inherited from it. */
export const runAllInOneCommand: Command = {
  summary: "runs every role in one process (what keelson up starts)",
  usage: "keelson run all-in-one --data-dir=DIR --listen-fd=N [--progress-fd=N] [--log-level=debug|info|warn|error]",
  async run(args, io) {
    const { values } = parseFlags(args, {
      "data-dir": "string",
      "listen-fd": "string",
      "progress-fd": "string",
      "log-level": "string",
    });
    const dataDir = DataDir.from(stringFlag(values, "data-dir"), io.env);
    const record = dataDir.readRecord<ClusterRecord>();
    if (record === undefined) throw new UsageError(`${dataDir.path} has no cluster: start one with "keelson up"`);
    const listenFd = integerFlag(values, "listen-fd", 3, FD_MAX, 3);
    const log = makeLogger((choiceFlag(values, "log-level", LOG_LEVELS) ?? "info") satisfies LogLevel);
    const cluster = new AllInOne(
      {
        clock: realClock,
        random: realRandom,
        log,
        progress: progressPipe(
          values["progress-fd"] === undefined ? undefined : integerFlag(values, "progress-fd", 3, FD_MAX, 3),
        ),
        onFatal: (reason) => {
          log.error("the store cannot go on; the process ends", { reason });
          process.exit(1);
        },
      },
      { dataDir: dataDir.path, record, listenFd },
    );
    return runUntilSignal(cluster, log);
  },
};

/** One line per step; the last one closes the pipe. Whoever listened may have gone. */
function progressPipe(fd: number | undefined): (step: string) => void {
  let open = fd;
  return (step) => {
    try {
      if (open !== undefined) writeSync(open, `${step}\n`);
      if (open !== undefined && step === "ready") closeSync(open);
    } catch {
      open = undefined;
    }
    if (step !== "ready") return;
    open = undefined;
    // Node writes its compile cache when it exits; a process that is killed would leave the next start without.
    nodeModule.flushCompileCache();
  };
}
