import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type CommandResult, Kubectl, runCommand } from "./kubectl.ts";

export const KEELSON = path.resolve(import.meta.dirname, "..", "..", "bin", "keelson");
const UP_LIMIT_MS = 120_000;

/** Runs the command as a user would. */
export function keelson(
  args: readonly string[],
  options: { env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<CommandResult> {
  return runCommand([process.execPath, KEELSON, ...args], { timeoutMs: UP_LIMIT_MS, ...options });
}

/** What `keelson status -o json` says. */
export interface TestClusterStatus {
  readonly pid: number | null;
  readonly ready: boolean;
  readonly roles: readonly {
    readonly name: string;
    readonly instance: string;
    readonly pid: number | null;
    readonly health: string;
    readonly leader: boolean;
    readonly detail: string;
  }[];
  readonly addresses: Readonly<Record<string, string>>;
}

/** A cluster made by `keelson up` in a folder of its own; `await using` takes it down and deletes it. */
export class TestCluster {
  readonly dataDir: string;
  readonly kubectl: Kubectl;
  readonly upOutput: string;

  private constructor(dataDir: string, upOutput: string) {
    this.dataDir = dataDir;
    this.upOutput = upOutput;
    this.kubectl = new Kubectl(path.join(dataDir, "kubeconfig"), path.join(dataDir, "kubectl-cache"));
  }

  static async up(flags: readonly string[]): Promise<TestCluster> {
    const dataDir = mkdtempSync(path.join(tmpdir(), "keelson-test-"));
    try {
      return new TestCluster(dataDir, await upOk(dataDir, ["--api-port=0", ...flags]));
    } catch (error) {
      await removeCluster(dataDir);
      throw error;
    }
  }

  /** Starts it again after a stop or a kill. */
  async upAgain(flags: readonly string[] = []): Promise<string> {
    return upOk(this.dataDir, flags);
  }

  async status(): Promise<TestClusterStatus> {
    const result = await keelson(["status", "-o", "json", `--data-dir=${this.dataDir}`]);
    return JSON.parse(result.stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeCluster(this.dataDir);
  }
}

async function upOk(dataDir: string, flags: readonly string[]): Promise<string> {
  const result = await keelson(["up", `--data-dir=${dataDir}`, ...flags]);
  if (result.code !== 0) {
    const log = await keelson(["logs", `--data-dir=${dataDir}`, "--tail=40"]);
    throw new Error(`keelson up: exit ${result.code}: ${result.stdout}${result.stderr}\n${log.stdout}`);
  }
  return result.stdout;
}

async function removeCluster(dataDir: string): Promise<void> {
  const down = await keelson(["down", "--purge", `--data-dir=${dataDir}`]);
  rmSync(dataDir, { recursive: true, force: true });
  if (down.code !== 0) throw new Error(`keelson down: exit ${down.code}: ${down.stdout}${down.stderr}`);
}
