import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { RoleDefinition } from "../../lib/gen/keelson/role/v1/role.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import type { RoleDescription } from "../../lib/transport/role-server.ts";
import { ended } from "../kit/ended.ts";

const RESTART_MS = 500;

/** A process that is started again half a second after it ended by itself, until it is stopped. */
export class MachineProcess {
  readonly name: string;
  readonly logFile: string;
  /** Statuses that it ended with by itself; null for a signal. */
  readonly exitCodes: (number | null)[] = [];
  readonly #argv: readonly string[];
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #isWanted = false;

  constructor(name: string, argv: readonly string[], folder: string) {
    this.name = name;
    this.logFile = path.join(folder, `${name}.log`);
    this.#argv = argv;
    this.#folder = folder;
  }

  start(): void {
    this.#isWanted = true;
    const log = openSync(this.logFile, "a");
    const [program, ...args] = this.#argv;
    const child = spawn(program!, args, { cwd: this.#folder, stdio: ["ignore", log, log] });
    closeSync(log);
    this.#child = child;
    child.once("exit", (code) => {
      if (!this.#isWanted) return;
      this.exitCodes.push(code);
      setTimeout(() => this.#isWanted && this.start(), RESTART_MS);
    });
  }

  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, "utf8") : "";
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends it for good. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#isWanted = false;
    if (this.#child !== undefined) await ended(this.#child, signal);
  }

  /** Whether its command names one with --role-listen. */
  get hasRoleSocket(): boolean {
    return this.#socket !== undefined;
  }

  async describe(): Promise<RoleDescription> {
    const channel = new GrpcChannel({ target: `unix://${this.#socket}` });
    try {
      return await channel.client(RoleDefinition).describe({}, { timeoutMs: 8_000 });
    } finally {
      channel.close();
    }
  }

  get #socket(): string | undefined {
    return this.#argv.find((arg) => arg.startsWith("--role-listen=unix:"))?.replace("--role-listen=unix:", "");
  }
}
