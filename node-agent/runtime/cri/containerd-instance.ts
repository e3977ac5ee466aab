import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import { RuntimeServiceDefinition } from "../../../lib/gen/runtime/v1/api.ts";
import { CommandError, commandEnvironment, type RunCommand } from "../../../lib/process/command.ts";
import {
  findProcesses,
  isRunning,
  type ProcessIdentity,
  processIdentity,
  signalProcess,
} from "../../../lib/process/process-identity.ts";
import { GrpcChannel } from "../../../lib/transport/grpc-client.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import { type ContainerdConfig, containerdToml, socketPath } from "./containerd-config.ts";
import { endLeftovers } from "./containerd-leftovers.ts";

export interface ContainerdInstanceParts {
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ContainerdInstanceOptions {
  readonly config: Omit<ContainerdConfig, "snapshotter">;
  /** Where containerd writes its own log. */
  readonly logFile: string;
}

const START_LIMIT_MS = 20_000;
const ANSWER_LIMIT_MS = 2_000;
const STOP_LIMIT_MS = 10_000;
const POLL_MS = 10;
const LOG_BYTES_MAX = 10 * 2 ** 20;
const SNAPSHOTTER_FILE = "snapshotter";

/**
 * One containerd that belongs to one node. It runs apart from the process that starts it: when that process ends, however
 * it ends, containerd and all containers go on, and the next one adopts them. It lives in the network namespace of whoever
 * started it first.
 */
export class ContainerdInstance {
  readonly #parts: ContainerdInstanceParts;
  readonly #options: ContainerdInstanceOptions;
  readonly socketPath: string;

  constructor(parts: ContainerdInstanceParts, options: ContainerdInstanceOptions) {
    this.#parts = parts;
    this.#options = options;
    this.socketPath = socketPath(options.config);
  }

  /** Adopts the containerd that runs, or starts one; resolves when its CRI answers. */
  async start(): Promise<void> {
    const { config } = this.#options;
    for (const dir of [config.rootDir, config.stateDir, dirname(this.#options.logFile)])
      mkdirSync(dir, { recursive: true });
    const toml = containerdToml({ ...config, snapshotter: await this.#snapshotter() });
    const [running, ...others] = this.running();
    if (running !== undefined && others.length === 0 && this.#isAsWanted(running, toml)) {
      if (await this.#untilServing(running)) {
        this.#parts.log.info("containerd adopted", { pid: running.pid });
        return;
      }
    }
    // Containers live on in their shims.
    await this.#endAll();
    writeFileSync(this.#file("config.toml"), toml);
    const started = this.#spawn();
    if (!(await this.#untilServing(started))) {
      const alive = isRunning(started);
      await this.#endAll();
      throw new Error(`containerd ${alive ? "does not answer" : "ended at once"}; its log is ${this.#options.logFile}`);
    }
    this.#parts.log.info("containerd started", { pid: started.pid });
  }

  /**
   * Ends containerd, every container and shim of this instance, and removes its state directory with all mounts below;
   * images and snapshots in the root directory stay. Needs nothing but the directories, and may be repeated.
   */
  async stop(): Promise<void> {
    await this.#endAll();
    await endLeftovers(this.#parts, this.#options.config);
    rmSync(this.#options.config.stateDir, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.#options.config.stateDir, name);
  }

  /** Found by the configuration's path among its arguments, so that no record of it can be lost. */
  running(): ProcessIdentity[] {
    const config = this.#file("config.toml");
    return findProcesses((argv) => argv[1] === "--config" && argv[2] === config);
  }

  /** Another configuration, or another network namespace than ours, cannot be given to a running process. */
  #isAsWanted(running: ProcessIdentity, toml: string): boolean {
    const file = this.#file("config.toml");
    if (!existsSync(file) || readFileSync(file, "utf8") !== toml) return false;
    try {
      return readlinkSync(`/proc/${running.pid}/ns/net`) === readlinkSync("/proc/self/ns/net");
    } catch {
      return false;
    }
  }

  #spawn(): ProcessIdentity {
    this.#putOldLogAside();
    const log = openSync(this.#options.logFile, "a", 0o640);
    try {
      const child = spawn("containerd", ["--config", this.#file("config.toml")], {
        detached: true,
        stdio: ["ignore", log, log],
        cwd: "/",
        env: commandEnvironment(),
      });
      child.on("error", (error) => this.#parts.log.error("containerd cannot be started", { error: error.message }));
      child.unref();
      if (child.pid === undefined) throw new Error("containerd cannot be started: is it installed?");
      return processIdentity(child.pid);
    } finally {
      closeSync(log);
    }
  }

  #putOldLogAside(): void {
    const { logFile } = this.#options;
    if (existsSync(logFile) && statSync(logFile).size > LOG_BYTES_MAX) renameSync(logFile, `${logFile}.1`);
  }

  async #untilServing(running: ProcessIdentity): Promise<boolean> {
    const { clock } = this.#parts;
    const endMs = clock.monotonicMs() + START_LIMIT_MS;
    while (clock.monotonicMs() < endMs && isRunning(running)) {
      if (existsSync(this.socketPath) && (await this.#answers())) return true;
      await clock.sleep(POLL_MS);
    }
    return false;
  }

  /** Its socket accepts before CRI has read what runs: until then every call but Version is refused. */
  async #answers(): Promise<boolean> {
    const channel = new GrpcChannel({ target: `unix://${this.socketPath}` });
    try {
      await channel.client(RuntimeServiceDefinition).status({ verbose: false }, { timeoutMs: ANSWER_LIMIT_MS });
      return true;
    } catch (error) {
      if (error instanceof RpcError) return false;
      throw error;
    } finally {
      channel.close();
    }
  }

  async #endAll(): Promise<void> {
    const { clock } = this.#parts;
    const all = this.running();
    const endMs = clock.monotonicMs() + STOP_LIMIT_MS;
    for (const each of all) signalProcess(each, "SIGTERM");
    while (all.some(isRunning)) {
      if (clock.monotonicMs() > endMs) for (const each of all) signalProcess(each, "SIGKILL");
      await clock.sleep(POLL_MS);
    }
  }

  /** Chosen once per root directory, since unpacked images belong to a snapshotter. */
  async #snapshotter(): Promise<ContainerdConfig["snapshotter"]> {
    const file = join(this.#options.config.rootDir, SNAPSHOTTER_FILE);
    if (existsSync(file)) return readSnapshotter(this.#options.config);
    const chosen = (await this.#overlayWorks()) ? "overlayfs" : "native";
    writeFileSync(file, `${chosen}\n`);
    return chosen;
  }

  /** Some file systems (overlay itself, as in a container) cannot carry an overlay. */
  async #overlayWorks(): Promise<boolean> {
    const base = join(this.#options.config.rootDir, ".overlay-check");
    const part = (name: string): string => join(base, name);
    for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(part(name), { recursive: true });
    const options = `lowerdir=${part("lower")},upperdir=${part("upper")},workdir=${part("work")}`;
    try {
      await this.#parts.run(["mount", "-t", "overlay", "overlay", "-o", options, part("merged")]);
      await this.#parts.run(["umount", part("merged")]);
      return true;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#parts.log.warn("no overlay on this file system; images are copied", { error: error.message });
      return false;
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  }
}

/** The snapshotter of an instance that has been started before. */
export function readSnapshotter({ rootDir }: Pick<ContainerdConfig, "rootDir">): ContainerdConfig["snapshotter"] {
  return readFileSync(join(rootDir, SNAPSHOTTER_FILE), "utf8").trim() === "native" ? "native" : "overlayfs";
}
