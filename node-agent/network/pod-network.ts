import { CommandError, type RunCommand } from "../../lib/process/command.ts";
import { networkConfig, type PluginInstallation, type PodNetworkConfig } from "./install-plugins.ts";

export interface PodNetworkParts {
  readonly run: RunCommand;
}

export interface PodNetworkOptions {
  readonly installation: Pick<PluginInstallation, "binDir" | "reservationsDir">;
  readonly network: PodNetworkConfig;
}

/** The version that has STATUS and GC; the runtime itself may speak an older one. */
const CNI_VERSION = "1.1.0";
/** Interface that CRI runtimes ask for. */
const POD_INTERFACE = "eth0";

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

  constructor(parts: PodNetworkParts, options: PodNetworkOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Why no pod could be given a network now; undefined when one could. */
  async problem(): Promise<string | undefined> {
    return this.#call("STATUS", {});
  }

  /**
   * Runs `attach`, which lets the runtime make or remove a sandbox's network, never at the same time as a collection: a
   * sandbox is not listed before its network is made, and would be taken for garbage.
   */
  async whileAttaching<T>(attach: () => Promise<T>): Promise<T> {
    while (this.#collecting !== undefined) await this.#collecting;
    this.#attaching++;
    try {
      return await attach();
    } finally {
      this.#attaching--;
      if (this.#attaching === 0) this.#quiet?.resolve();
    }
  }

  /** Frees what no sandbox of `listSandboxes` has; resolves to why that failed, if it did. */
  async collectGarbage(listSandboxes: () => Promise<readonly string[]>): Promise<string | undefined> {
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
