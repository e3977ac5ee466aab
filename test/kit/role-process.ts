import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { RoleDefinition } from "../../lib/gen/keelson/role/v1/role.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import type { RoleDescription } from "../../lib/transport/role-server.ts";
import { ended } from "./ended.ts";
import { KEELSON } from "./keelson.ts";

/** One `keelson run ROLE` in the background, which can be killed, paused and started again with the same flags. */
export class RoleProcess {
  readonly name: string;
  readonly logFile: string;
  readonly #args: readonly string[];
  readonly #socket: string;
  #child: ChildProcess | undefined;

  /** `folder`: for its socket and what it prints. */
  constructor(name: string, folder: string, args: readonly string[]) {
    this.name = name;
    this.logFile = path.join(folder, `${name}.log`);
    this.#socket = path.join(folder, `${name}.sock`);
    this.#args = ["run", ...args, `--role-listen=unix:${this.#socket}`];
  }

  /** Where it does not run. */
  start(): void {
    if (this.running) throw new Error(`${this.name} runs already`);
    const log = openSync(this.logFile, "a");
    this.#child = spawn(process.execPath, [KEELSON, ...this.#args], { stdio: ["ignore", log, log] });
    closeSync(log);
  }

  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The status it ended with; null while it runs or when a signal ended it. */
  get exitCode(): number | null {
    return this.#child?.exitCode ?? null;
  }

  /** What it printed over all its lives. */
  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, "utf8") : "";
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves to its exit status when it has ended by itself; null where the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child !== undefined) await ended(this.#child, signal);
    return this.exitCode;
  }

  /** Rejects while it does not answer. */
  async describe(timeoutMs = 2_000): Promise<RoleDescription> {
    const channel = new GrpcChannel({ target: `unix://${this.#socket}` });
    try {
      return await channel.client(RoleDefinition).describe({}, { timeoutMs });
    } finally {
      channel.close();
    }
  }
}
