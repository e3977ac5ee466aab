import type { Clock, Timer } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import { CommandError, type RunCommand } from "../../lib/process/command.ts";
import { networkConfig, type PluginInstallation, type PodNetworkConfig } from "./install-plugins.ts";

export interface PodNetworkParts {
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PodNetworkOptions {
  readonly installation: Pick<PluginInstallation, "binDir" | "reservationsDir">;
  readonly network: PodNetworkConfig;
}

/** Ids of all sandboxes that exist, in whatever state. */
export type ListSandboxes = () => Promise<readonly string[]>;

/** The version that has STATUS and GC; the runtime itself may speak an older one. */
const CNI_VERSION = "1.1.0";
/** Interface that CRI runtimes ask for. */
const POD_INTERFACE = "eth0";
const COLLECT_EVERY_MS = 3_600_000;
const COLLECT_AGAIN_MS = 60_000;
/** A call costs the start of a process: good news stays so for a while. */
const STATUS_VALID_MS = 60_000;

/**
 * The agent's own calls to the network's plugins. Runtimes of today's Debian call only ADD and DEL: without these a node
 * would be Ready with an empty pool, and what a crash leaves reserved would stay so.
 */
export class PodNetwork {
  readonly #parts: PodNetworkParts;
  readonly #options: PodNetworkOptions;
  #attaching = 0;
  #quiet: PromiseWithResolvers<void> | undefined;
  #collecting: Promise<void> | undefined;
  #wellUntilMs = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: PodNetworkParts, options: PodNetworkOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Collects garbage now and hourly. */
  start(listSandboxes: ListSandboxes): void {
    void this.#collectRegularly(listSandboxes);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#collecting;
  }

  /** Why no pod could be given a network now; undefined when one could. */
  async problem(): Promise<string | undefined> {
    if (this.#parts.clock.monotonicMs() < this.#wellUntilMs) return undefined;
    const problem = await this.#call("STATUS", {});
    if (problem === undefined) this.#wellUntilMs = this.#parts.clock.monotonicMs() + STATUS_VALID_MS;
    return problem;
  }

  /**
   * Runs `attach`, which lets the runtime make a sandbox with its network, never at the same time as a collection: a
   * sandbox is not listed before its network is made, and would be taken for garbage.
   */
  async whileAttaching<T>(attach: () => Promise<T>): Promise<T> {
    while (this.#collecting !== undefined) await this.#collecting;
    this.#attaching++;
    try {
      return await attach();
    } catch (error) {
      this.#wellUntilMs = 0;
      throw error;
    } finally {
      this.#attaching--;
      if (this.#attaching === 0) this.#quiet?.resolve();
    }
  }

  /** Frees what no sandbox has; resolves to why that failed, if it did. */
  async collectGarbage(listSandboxes: ListSandboxes): Promise<string | undefined> {
    while (this.#collecting !== undefined) await this.#collecting;
    const done = Promise.withResolvers<void>();
    this.#collecting = done.promise;
    try {
      if (this.#attaching > 0) {
        this.#quiet = Promise.withResolvers<void>();
        await this.#quiet.promise;
      }
      const valid = (await listSandboxes()).map((id) => ({ containerID: id, ifname: POD_INTERFACE }));
      return await this.#call("GC", { "cni.dev/valid-attachments": valid });
    } finally {
      this.#quiet = undefined;
      this.#collecting = undefined;
      done.resolve();
    }
  }

  async #collectRegularly(listSandboxes: ListSandboxes): Promise<void> {
    const { clock, log } = this.#parts;
    const problem = await this.collectGarbage(listSandboxes).catch((error: Error) => error.message);
    if (problem !== undefined) log.warn("unused addresses cannot be freed", { problem });
    if (this.#stopped) return;
    const delayMs = problem === undefined ? COLLECT_EVERY_MS : COLLECT_AGAIN_MS;
    this.#timer = clock.after(delayMs, () => void this.#collectRegularly(listSandboxes));
  }

  async #call(command: string, extra: Readonly<Record<string, unknown>>): Promise<string | undefined> {
    const { installation, network } = this.#options;
    const { name, plugins } = networkConfig(installation.reservationsDir, network);
    for (const plugin of plugins) {
      const config = { ...plugin, name, cniVersion: CNI_VERSION, ...extra };
      const program = `${installation.binDir}/${plugin.type}`;
      try {
        const variables = [`CNI_COMMAND=${command}`, `CNI_PATH=${installation.binDir}`];
        await this.#parts.run(["env", ...variables, program], JSON.stringify(config));
      } catch (error) {
        if (error instanceof CommandError) return `${plugin.type}: ${error.stderr.trim() || error.message}`;
        throw error;
      }
    }
    return undefined;
  }
}
