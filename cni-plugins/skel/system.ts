import { spawnSync } from "node:child_process";
import { CniCode, CniError } from "./cni-error.ts";

/** Runs a program with arguments that no shell sees, and returns what it printed. */
export type Exec = (argv: readonly string[], input?: string) => string;

/** Longest that one program may take: below the time-outs of runtimes, so that the answer still reaches them. */
const TIME_LIMIT_MS = 20_000;

/** A program that failed, with what it said. */
export class ExecError extends CniError {
  readonly stderr: string;

  constructor(argv: readonly string[], stderr: string, cause?: unknown) {
    super(CniCode.systemFailure, `${argv[0]} failed`, `${argv.join(" ")}: ${stderr.trim()}`, cause);
    this.name = "ExecError";
    this.stderr = stderr;
  }
}

export const exec: Exec = (argv, input) => {
  const done = spawnSync(argv[0] ?? "", argv.slice(1), {
    input: input ?? "",
    encoding: "utf8",
    timeout: TIME_LIMIT_MS,
    // A runtime may have been started with any PATH, or none; nothing else of its environment matters to these programs.
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
  });
  if (done.error !== undefined) throw new ExecError(argv, done.error.message, done.error);
  if (done.status !== 0) throw new ExecError(argv, done.stderr || `exit status ${done.status}`);
  return done.stdout;
};

/** Starts the program inside a network namespace. */
export function inNetns(path: string, argv: readonly string[]): string[] {
  return ["nsenter", `--net=${path}`, ...argv];
}

/** Several `ip` commands in one process. Words are checked before, since a batch is split at spaces. */
export function ipBatch(execute: Exec, prefix: readonly string[], commands: readonly (readonly string[])[]): void {
  for (const word of commands.flat()) {
    if (!/^[!-~]+$/.test(word) || /["'\\#]/.test(word)) {
      throw new CniError(CniCode.invalidConfig, `not a word for ip: ${JSON.stringify(word)}`);
    }
  }
  execute([...prefix, "ip", "-batch", "-"], commands.map((words) => `${words.join(" ")}\n`).join(""));
}
