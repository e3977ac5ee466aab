/**
 * `npm run bench`: every benchmark; `npm run bench -- NAME …`: those. `--quick` shortens them. Each line is
 * `NAME/CASE: ratio R (ours X unit, PEER Y unit)`, or `limit L` where there is no peer.
 */
import { existsSync } from "node:fs";
import path from "node:path";

interface Benchmark {
  run(print: (line: string) => void, options: { quick: boolean }): Promise<void>;
}

const NAMES = [
  "codec",
  "store",
  "api-create",
  "api-read",
  "scheduler",
  "events",
  "failover",
  "idle",
  "up",
  "pod-start",
  "cni-add",
];

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const asked = args.filter((arg) => !arg.startsWith("--"));
for (const name of asked.length > 0 ? asked : NAMES) {
  const file = path.join(import.meta.dirname, `${name}.ts`);
  if (!existsSync(file)) {
    process.stderr.write(`bench: no benchmark is called ${name}; there are: ${NAMES.join(", ")}\n`);
    process.exitCode = 1;
    continue;
  }
  const benchmark = (await import(file)) as Benchmark;
  await benchmark.run((line) => process.stdout.write(`${line}\n`), { quick });
}
