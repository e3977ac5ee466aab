import { readFileSync } from "node:fs";
import { TestCluster } from "../test/kit/keelson.ts";

const SETTLE_MS = 60_000;
const QUICK_SETTLE_MS = 10_000;
const MEMORY_GOAL_MB = 150;
const CPU_GOAL_PERCENT = 1;
const TICKS_PER_SECOND = 100;

/** Memory and CPU of Keelson's process when nothing happens, with one simulated node. */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  const settleMs = options.quick ? QUICK_SETTLE_MS : SETTLE_MS;
  await using cluster = await TestCluster.up(["--runtime=simulated"]);
  const { pid } = await cluster.status();
  if (pid === null) throw new Error("the cluster does not run");
  await sleep(settleMs);
  const before = cpuTicks(pid);
  const startedMs = performance.now();
  await sleep(settleMs);
  const cpuSeconds = (cpuTicks(pid) - before) / TICKS_PER_SECOND;
  const cpuPercent = (cpuSeconds / ((performance.now() - startedMs) / 1_000)) * 100;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const memoryMb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
  print(`idle/memory: limit ${MEMORY_GOAL_MB} MB (ours ${memoryMb.toFixed(0)} MB)`);
  print(`idle/cpu: limit ${CPU_GOAL_PERCENT} % of a core (ours ${cpuPercent.toFixed(2)} %)`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** User and system time of all threads. */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
