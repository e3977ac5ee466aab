import { TestCluster } from "../test/kit/keelson.ts";
import { whyNotContainers, whyNotLayout } from "../test/kit/requirements.ts";
import { cpuSeconds } from "./process-figures.ts";

interface Case {
  readonly name: string;
  readonly flags: readonly string[];
  readonly goalMs: number;
  readonly obstacle: () => string;
}

const CASES: readonly Case[] = [
  { name: "simulated", flags: ["--runtime=simulated"], goalMs: 1_000, obstacle: () => "" },
  { name: "containerd", flags: ["--runtime=containerd"], goalMs: 3_000, obstacle: whyNotContainers },
  // Eleven processes on few cores: the sum of what each does at its start bounds it.
  {
    name: "split",
    flags: ["--layout=split", "--runtime=simulated"],
    goalMs: 5_000,
    obstacle: () => whyNotLayout("split"),
  },
];
const RUNS = 5;

/**
 * `keelson up` on an empty folder, as a person waits for it: from the command to its end, everything installed. The CPU time
 * is that of the processes that then run, which a busy machine changes less.
 */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  for (const { name, flags, goalMs, obstacle } of CASES) {
    const why = obstacle();
    if (why !== "") {
      print(`up/${name}: skipped (${why})`);
      continue;
    }
    const timesMs: number[] = [];
    const cpu: number[] = [];
    for (let i = 0; i < (options.quick ? 1 : RUNS); i++) {
      const startedMs = performance.now();
      await using cluster = await TestCluster.up(flags);
      timesMs.push(performance.now() - startedMs);
      const { pid, roles } = await cluster.status();
      const pids = new Set([pid, ...roles.map((role) => role.pid)]);
      cpu.push([...pids].reduce<number>((sum, one) => sum + (one === null ? 0 : cpuSeconds(one)), 0));
    }
    const figures = `${median(timesMs).toFixed(0)} ms, ${median(cpu).toFixed(1)} s of CPU, median of ${timesMs.length}`;
    print(`up/${name}: limit ${goalMs} ms (ours ${figures})`);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
