/**
 * `npm test`: every check and every suite, then one closing line with the sum. Exits 1 when anything failed.
 * Arguments name suites (folders of test/) to run only these: `npm test -- store api`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const ROOT = path.resolve(import.meta.dirname, "..");
const NOT_SUITES = ["tidy", "kit"];
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

function run(command: readonly string[]): number {
  const [name, ...args] = command;
  const done = spawnSync(path.join(ROOT, "node_modules", ".bin", name!), args, {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return done.status ?? 1;
}

function check(command: readonly string[]): void {
  say(`\n== ${command.join(" ")}`);
  if (run(command) === 0) total.passed++;
  else total.failed++;
}

function suite(name: string, args: readonly string[]): void {
  say(`\n== suite ${name}`);
  const report = path.join(work, `${name.replaceAll("/", "-")}.json`);
  const status = run(["vitest", "run", ...args, "--reporter=dot", "--reporter=json", `--outputFile.json=${report}`]);
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

try {
  if (process.argv.length === 2) {
    for (const command of CHECKS) check(command);
    suite("unit", ["--project", "unit", "--project", "tidy"]);
  }
  for (const name of suiteNames()) suite(name, ["--project", "suites", `test/${name}/`]);
} finally {
  rmSync(work, { recursive: true, force: true });
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
say(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;
