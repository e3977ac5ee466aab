import { TestCluster } from "../test/kit/keelson.ts";
import { whyNotLayout } from "../test/kit/requirements.ts";
import { cpuSeconds, proportionalMb, residentMb } from "./process-figures.ts";

const SETTLE_MS = 60_000;
const QUICK_SETTLE_MS = 10_000;
const MEMORY_GOAL_MB = 150;
const CPU_GOAL_PERCENT = 1;
/**
 * Of processes of the split layout. An empty Node has 43 MB, and gRPC, the kinds and TLS are most of the rest. Each api-server keeps
 * all objects, and answers the health checks of all others; each of those reads the store.
 */
const SPLIT_GOALS: Readonly<Record<string, Goal>> = {
  supervisor: { memoryMb: 120, cpuPercent: 0.5 },
  store: { memoryMb: 120, cpuPercent: 1.5 },
  "api-server": { memoryMb: 160, cpuPercent: 2 },
  scheduler: { memoryMb: 120, cpuPercent: 0.5 },
  "controller-manager": { memoryMb: 120, cpuPercent: 0.5 },
  "node-agent": { memoryMb: 120, cpuPercent: 0.5 },
};

interface Goal {
  readonly memoryMb: number;
  readonly cpuPercent: number;
}

interface Idle {
  readonly memoryMb: number;
  /** The share of `memoryMb` that is this process's own, shared pages divided among those who have them. */
  readonly ownMb: number;
  readonly cpuPercent: number;
}

/** Memory and CPU of Keelson's process when nothing happens, with one simulated node; of each process in the split layout. */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  const settleMs = options.quick ? QUICK_SETTLE_MS : SETTLE_MS;
  {
    await using cluster = await TestCluster.up(["--runtime=simulated"]);
    const { pid } = await cluster.status();
    const [idle] = await measure([pid], settleMs);
    print(`idle/memory: limit ${MEMORY_GOAL_MB} MB (ours ${idle!.memoryMb.toFixed(0)} MB)`);
    print(`idle/cpu: limit ${CPU_GOAL_PERCENT} % of a core (ours ${idle!.cpuPercent.toFixed(2)} %)`);
  }
  const obstacle = whyNotLayout("split");
  if (obstacle !== "") return print(`idle/split: skipped (${obstacle})`);
  await using cluster = await TestCluster.up(["--layout=split", "--runtime=simulated"]);
  const { pid, roles } = await cluster.status();
  const processes = [{ name: "supervisor", instance: "supervisor", pid }, ...roles];
  const idles = await measure(
    processes.map((one) => one.pid),
    settleMs,
  );
  for (const [index, { name, instance }] of processes.entries()) {
    const goal = SPLIT_GOALS[name];
    const limit = goal === undefined ? "(" : `limit ${goal.memoryMb} MB, ${goal.cpuPercent} % of a core (ours `;
    print(`idle/split/${instance}: ${limit}${text(idles[index]!)})`);
  }
  const sum = (of: (idle: Idle) => number) => idles.reduce((total, idle) => total + of(idle), 0);
  const all = { memoryMb: sum((one) => one.memoryMb), ownMb: sum((one) => one.ownMb) };
  print(`idle/split/all: (${text({ ...all, cpuPercent: sum((one) => one.cpuPercent) })})`);
}

function text({ memoryMb, ownMb, cpuPercent }: Idle): string {
  return `${memoryMb.toFixed(0)} MB, ${ownMb.toFixed(0)} MB of it not shared, ${cpuPercent.toFixed(2)} % of a core`;
}

/** After a while to settle, over a while of the same length. */
async function measure(pids: readonly (number | null)[], settleMs: number): Promise<Idle[]> {
  const running = pids.map((pid) => {
    if (pid === null) throw new Error("a process of the cluster does not run");
    return pid;
  });
  await sleep(settleMs);
  const before = running.map(cpuSeconds);
  const startedMs = performance.now();
  await sleep(settleMs);
  const seconds = (performance.now() - startedMs) / 1_000;
  return running.map((pid, index) => ({
    memoryMb: residentMb(pid),
    ownMb: proportionalMb(pid),
    cpuPercent: ((cpuSeconds(pid) - before[index]!) / seconds) * 100,
  }));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
