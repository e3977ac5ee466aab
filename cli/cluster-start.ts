import { closeSync, writeSync } from "node:fs";
import nodeModule from "node:module";
import type { ClusterRecord } from "../cluster/cluster-record.ts";
import type { Log } from "../lib/core/log.ts";
import { makeLogger } from "../lib/process/logger.ts";
import {
  type CommandIo,
  type FlagValues,
  integerFlag,
  logLevelFlag,
  parseFlags,
  stringFlag,
  UsageError,
} from "./command.ts";
import { DataDir } from "./data-dir.ts";

const FD_MAX = 1_023;

export const CLUSTER_START_FLAGS = "--data-dir=DIR --listen-fd=N [--progress-fd=N] [--log-level=debug|info|warn|error]";

/** What `keelson up` gives to the process that it starts: the socket that listens and the pipe for progress are inherited. */
export interface ClusterStart {
  readonly dataDir: string;
  readonly record: ClusterRecord;
  readonly listenFd: number;
  readonly log: Log;
  readonly progress: (step: string) => void;
}

/** From here on the process runs in the cluster's `run` folder, where its sockets are. */
export function clusterStart(args: readonly string[], io: CommandIo): ClusterStart {
  const { values } = parseFlags(args, {
    "data-dir": "string",
    "listen-fd": "string",
    "progress-fd": "string",
    "log-level": "string",
  });
  const dataDir = DataDir.from(stringFlag(values, "data-dir"), io.env);
  const record = dataDir.readRecord<ClusterRecord>();
  if (record === undefined) throw new UsageError(`${dataDir.path} has no cluster: start one with "keelson up"`);
  dataDir.make();
  process.chdir(dataDir.file("run"));
  return {
    dataDir: dataDir.path,
    record,
    listenFd: fdFlag(values, "listen-fd") ?? 3,
    log: makeLogger(logLevelFlag(values)),
    progress: progressPipe(fdFlag(values, "progress-fd")),
  };
}

function fdFlag(values: FlagValues, name: string): number | undefined {
  return values[name] === undefined ? undefined : integerFlag(values, name, 3, FD_MAX, 3);
}

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
