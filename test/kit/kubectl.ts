import { spawn } from "node:child_process";
import { kubectlFolder } from "../../cli/kubectl.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end and never rejects for its exit code; `input` goes to its standard input. */
export function runCommand(
  command: readonly string[],
  options: { input?: string; env?: Record<string, string>; cwd?: string; timeoutMs?: number } = {},
): Promise<CommandResult> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, {
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      timeout: options.timeoutMs ?? 60_000,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({ code: code ?? 128, stdout, stderr: signal === null ? stderr : `${stderr}\n(${signal})` }),
    );
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

/** The real kubectl 1.36, bound to one kubeconfig; `within` is a command that runs it elsewhere (another namespace). */
export class Kubectl {
  readonly #kubeconfig: string;
  readonly #cacheFolder: string;
  readonly #within: readonly string[];

  constructor(kubeconfig: string, cacheFolder: string, within: readonly string[] = []) {
    this.#kubeconfig = kubeconfig;
    this.#cacheFolder = cacheFolder;
    this.#within = within;
  }

  async run(args: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<CommandResult> {
    const program = `${await kubectlFolder()}/kubectl`;
    return runCommand(
      [...this.#within, program, `--kubeconfig=${this.#kubeconfig}`, `--cache-dir=${this.#cacheFolder}`, ...args],
      options,
    );
  }

  /** As `run`, but a non-zero exit is an error that shows what kubectl said. */
  async ok(args: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<string> {
    const result = await this.run(args, options);
    if (result.code !== 0)
      throw new Error(`kubectl ${args.join(" ")}: exit ${result.code}: ${result.stderr}${result.stdout}`);
    return result.stdout;
  }
}
