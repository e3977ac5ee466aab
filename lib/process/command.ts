import { spawn } from "node:child_process";

/**
 * Runs a program to its end and resolves with what it printed. Arguments go to the program as they are, never through a
 * shell. Rejects with `CommandError` when it cannot be started or ends with another status than 0.
 */
export type RunCommand = (argv: readonly string[], input?: string) => Promise<string>;

/** A program that failed; `stderr` is what it said about it. */
export class CommandError extends Error {
  readonly argv: readonly string[];
  /** Undefined when it could not be started or was ended by a signal. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** True when there is no such program. */
  readonly missing: boolean;

  constructor(
    argv: readonly string[],
    exitCode: number | undefined,
    printed: { stdout: string; stderr: string },
    cause?: unknown,
  ) {
    const { stdout, stderr } = printed;
    const missing = (cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
    const why = missing ? "not installed" : stderr.trim() || `exit status ${exitCode ?? "unknown"}`;
    super(`${argv.join(" ")}: ${why}`, cause === undefined ? undefined : { cause });
    this.name = "CommandError";
    this.argv = argv;
    this.exitCode = exitCode;
    this.stdout = stdout;
    this.stderr = stderr;
    this.missing = missing;
  }
}

/** This process's environment for programs of the system, which live in sbin too: a user's PATH often lacks that. */
export function commandEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env["PATH"] ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`, LC_ALL: "C" };
}

/** Runs programs of this machine in the namespaces of this process. */
export const runCommand: RunCommand = (argv, input) =>
  new Promise((resolve, reject) => {
    const child = spawn(argv[0] ?? "", argv.slice(1), { env: commandEnvironment(), stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    child.on("error", (cause) => reject(new CommandError(argv, undefined, { stdout, stderr }, cause)));
    child.on("close", (code) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandError(argv, code ?? undefined, { stdout, stderr }));
    });
  });

/** The same runner with every program started by `prefix`, such as `nsenter --net=/run/netns/x`. */
export function withPrefix(run: RunCommand, prefix: readonly string[]): RunCommand {
  return (argv, input) => run([...prefix, ...argv], input);
}
