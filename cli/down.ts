import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import type { ClusterRecord } from "../cluster/cluster-record.ts";
import { containerNodeOptions } from "../cluster/container-node-options.ts";
import { LocalNetwork } from "../cluster/local-network.ts";
import { silentLog } from "../lib/core/log.ts";
import { runCommand } from "../lib/process/command.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { ContainerNode } from "../node-agent/container-node.ts";
import { stopProcess } from "./cluster-process.ts";
import { type Command, parseFlags, stringFlag } from "./command.ts";
import { DataDir } from "./data-dir.ts";

/** The process may take its own 20 s limit before it is killed. */
const STOP_LIMIT_MS = 25_000;

export const downCommand: Command = {
  summary: "stops a cluster and takes out of the kernel what it put in",
  usage: `keelson down [--data-dir=DIR] [--purge]

  --purge  also deletes the cluster's data`,
  async run(args, io) {
    const { values } = parseFlags(args, { "data-dir": "string", purge: "boolean" });
    const dataDir = DataDir.from(stringFlag(values, "data-dir"), io.env);
    const purge = values["purge"] === true;
    const record = purge ? readRecordOrNothing(dataDir) : dataDir.readRecord<ClusterRecord>();
    if (record === undefined) {
      io.out(`no cluster at ${dataDir.path}\n`);
      if (purge) purgeData(dataDir);
      return 0;
    }
    const wasRunning = await stopCluster(dataDir, record);
    io.out(wasRunning ? `the cluster at ${dataDir.path} is down\n` : `no cluster ran from ${dataDir.path}\n`);
    if (purge) {
      purgeData(dataDir);
      io.out("its data is deleted\n");
    }
    return 0;
  },
};

/** Processes first, the network last. Idempotent: it works from the record, whatever state it finds. */
export async function stopCluster(dataDir: DataDir, record: ClusterRecord): Promise<boolean> {
  const wasRunning = await stopProcess(dataDir, STOP_LIMIT_MS, (ms) => realClock.sleep(ms));
  if (record.runtime === "containerd") {
    const parts = { clock: realClock, random: realRandom, log: silentLog, run: runCommand };
    await new ContainerNode(parts, containerNodeOptions(dataDir.path, record)).stop();
    if (record.network !== undefined) await new LocalNetwork(runCommand).remove(record.network);
  }
  return wasRunning;
}

/** A record that cannot be read must not stand in the way of deleting the rest. */
function readRecordOrNothing(dataDir: DataDir): ClusterRecord | undefined {
  try {
    return dataDir.readRecord<ClusterRecord>();
  } catch {
    return undefined;
  }
}

const MADE = ["cluster.json", "run", "pki", "store", "nodes", "containerd", "kubeconfig", "logs", "keelson.log"];

/** Only what Keelson made: a folder that a person named by mistake keeps everything else. */
function purgeData(dataDir: DataDir): void {
  if (!existsSync(dataDir.path)) return;
  for (const name of MADE) {
    rmSync(dataDir.file(name), { recursive: true, force: true });
  }
  if (readdirSync(dataDir.path).length === 0) rmdirSync(dataDir.path);
}
