/**
 * `npm test`: every check and every suite, then one closing line with the sum. Exits 1 when anything failed.
 * Arguments name suites (folders of test/) to run only these: `npm test -- store api`. One suite shows what it does as it
 * goes; of several, two run beside each other and each is shown when it has ended.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const ROOT = path.resolve(import.meta.dirname, "..");
const NOT_SUITES = ["tidy", "kit"];
/** Suites that run beside each other: more than half of their time is waiting, for leases to end and processes to start. */
const LANES = 2;
const CHECKS: readonly (readonly string[])[] = [
  ["tsc", "--noEmit"],
  ["biome", "check", "--error-on-warnings", "."],
  ["buf", "lint"],
  ["buf", "breaking", "--against", "proto/baseline.binpb"],
  ["knip"],
];

const work = mkdtempSync(path.join(tmpdir(), "keelson-test-run-"));
const total: Tally = { passed: 0, failed: 0, skipped: 0 };

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Resolves to the exit status. `output` is a file's number, or the terminal. */
function run(command: readonly string[], output: number | "inherit" = "inherit"): Promise<number> {
  const [name, ...args] = command;
  const options = { cwd: ROOT, stdio: ["ignore" as const, output, output] };
  const child = spawn(path.join(ROOT, "node_modules", ".bin", name!), args, options);
  return new Promise((resolve) => {
    child.once("error", () => resolve(1));
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

async function runInto(log: string, command: readonly string[]): Promise<number> {
  const file = openSync(log, "w");
  try {
    return await run(command, file);
  } finally {
    closeSync(file);
  }
}

async function check(command: readonly string[]): Promise<void> {
  say(`\n== ${command.join(" ")}`);
  if ((await run(command)) === 0) total.passed++;
  else total.failed++;
}

async function suite(name: string, args: readonly string[], isAlone = true): Promise<void> {
  if (isAlone) say(`\n== suite ${name}`);
  else say(`-- suite ${name} begins`);
  const log = path.join(work, `${name.replaceAll("/", "-")}.log`);
  const report = path.join(work, `${name.replaceAll("/", "-")}.json`);
  const vitest = ["vitest", "run", ...args, "--reporter=dot", "--reporter=json", `--outputFile.json=${report}`];
  const status = await (isAlone ? run(vitest) : runInto(log, vitest));
  if (!isAlone) say(`\n== suite ${name}\n${readFileSync(log, "utf8")}`);
  const counted = existsSync(report) ? tallyOf(report) : { passed: 0, failed: 0, skipped: 0, skippedNames: [] };
  // A run that breaks outside a test (a file that does not load, an unhandled error) must not pass unseen.
  if (status !== 0 && counted.failed === 0) counted.failed = 1;
  if (counted.passed + counted.failed + counted.skipped === 0) counted.failed = 1;
  total.passed += counted.passed;
  total.failed += counted.failed;
  total.skipped += counted.skipped;
  for (const test of counted.skippedNames) say(`SKIPPED ${test}`);
  say(`suite ${name}: ${counted.passed} passed, ${counted.failed} failed, ${counted.skipped} skipped`);
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

function tallyOf(file: string): Tally & { skippedNames: string[] } {
  const report = JSON.parse(readFileSync(file, "utf8")) as VitestReport;
  const brokenFiles = report.testResults.filter((one) => one.status === "failed" && one.assertionResults.length === 0);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
    // Why is what the suite itself said (test/kit/requirements.ts); here it cannot be overlooked that it was skipped.
    skippedNames: report.testResults.flatMap((one) =>
      one.assertionResults
        .filter((test) => test.status !== "passed" && test.status !== "failed")
        .map((test) => `${path.relative(ROOT, one.name)}: ${test.fullName}`),
    ),
  };
}

function suiteNames(): string[] {
  const asked = process.argv.slice(2);
  if (asked.length > 0) return asked;
  return readdirSync(path.join(ROOT, "test"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !NOT_SUITES.includes(entry.name))
    .map((entry) => entry.name)
    .filter((name) =>
      readdirSync(path.join(ROOT, "test", name), { recursive: true }).some((file) => String(file).endsWith(".test.ts")),
    )
    .sort();
}

async function suites(names: readonly string[]): Promise<void> {
  const left = [...names];
  const lane = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      await suite(name, ["--project", "suites", `test/${name}/`], names.length === 1);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

try {
  if (process.argv.length === 2) {
    for (const command of CHECKS) await check(command);
    await suite("unit", ["--project", "unit", "--project", "tidy"]);
  }
  await suites(suiteNames());
} finally {
  rmSync(work, { recursive: true, force: true });
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
say(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;
