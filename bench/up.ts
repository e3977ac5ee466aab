import { TestCluster } from "../test/kit/keelson.ts";
import { whyNotContainers } from "../test/kit/requirements.ts";

const GOALS_MS = { simulated: 1_000, containerd: 3_000 } as const;
const RUNS = 5;

/** `keelson up` on an empty folder, as a person waits for it: from the command to its end, everything installed. */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  for (const runtime of ["simulated", "containerd"] as const) {
    const obstacle = runtime === "containerd" ? whyNotContainers() : "";
    if (obstacle !== "") {
      print(`up/${runtime}: skipped (${obstacle})`);
      continue;
    }
    const times: number[] = [];
    for (let i = 0; i < (options.quick ? 1 : RUNS); i++) {
      const startedMs = performance.now();
      await using _cluster = await TestCluster.up([`--runtime=${runtime}`]);
      times.push(performance.now() - startedMs);
    }
    const medianMs = times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
    print(`up/${runtime}: limit ${GOALS_MS[runtime]} ms (ours ${medianMs.toFixed(0)} ms, median of ${times.length})`);
  }
}
