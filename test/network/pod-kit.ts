import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { NetworkPlan } from "../../cluster/network-plan.ts";
import { CommandError, type RunCommand, withPrefix } from "../../lib/process/command.ts";
import { installPlugins, networkConfig } from "../../node-agent/network/install-plugins.ts";

const SOURCE_DIR = path.resolve(import.meta.dirname, "..", "..", "cni-plugins");

export interface CniAnswer {
  readonly exitCode: number;
  readonly body: Record<string, unknown>;
  readonly stderr: string;
}

/** The plugins as the agent installs them, in a folder of the test, called as a runtime calls them. */
export class InstalledPlugins {
  readonly dir = mkdtempSync(path.join(tmpdir(), "keelson-cni-"));
  readonly binDir = path.join(this.dir, "bin");
  readonly reservationsDir = path.join(this.dir, "networks");
  readonly network: { podCidr: string; mtu: number };
  readonly #run: RunCommand;

  /** `run` decides in which node the plugins work. */
  constructor(run: RunCommand, network: { podCidr: string; mtu: number }) {
    this.#run = run;
    this.network = network;
    installPlugins(
      {
        sourceDir: SOURCE_DIR,
        binDir: this.binDir,
        confDir: path.join(this.dir, "conf"),
        reservationsDir: this.reservationsDir,
        nodePath: process.execPath,
        compileCacheDir: path.resolve(SOURCE_DIR, "..", ".cache", "compile"),
      },
      network,
    );
  }

  /** The bridge's part of the installed network, as libcni would hand it over. */
  config(extra: Record<string, unknown> = {}): Record<string, unknown> {
    const { name, plugins } = networkConfig(this.reservationsDir, this.network);
    return { ...plugins[0], name, cniVersion: "1.1.0", ...extra };
  }

  call(
    command: string,
    env: Record<string, string>,
    config: unknown = this.config(),
    plugin = "bridge",
  ): Promise<CniAnswer> {
    const variables = { CNI_COMMAND: command, CNI_IFNAME: "eth0", CNI_PATH: this.binDir, ...env };
    const prefix = ["env", ...Object.entries(variables).map(([key, value]) => `${key}=${value}`)];
    const stdin = typeof config === "string" ? config : JSON.stringify(config);
    return outcome(withPrefix(this.#run, prefix)([path.join(this.binDir, plugin)], stdin));
  }

  /** As runtimes do: the loopback first, with a version that containerd 1.6 asks for. */
  async add(id: string, netns: string): Promise<CniAnswer> {
    const loopback = { cniVersion: "0.3.1", name: "cni-loopback", type: "loopback" };
    const variables = { CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_IFNAME: "lo" };
    const up = await this.call("ADD", variables, loopback, "loopback");
    if (up.exitCode !== 0) return up;
    return this.call("ADD", { CNI_CONTAINERID: id, CNI_NETNS: netns });
  }

  del(id: string, netns = ""): Promise<CniAnswer> {
    return this.call("DEL", { CNI_CONTAINERID: id, CNI_NETNS: netns });
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Plugins for the node of a plan. */
export function pluginsFor(run: RunCommand, plan: NetworkPlan): InstalledPlugins {
  return new InstalledPlugins(run, { podCidr: plan.nodePodCidr, mtu: 1400 });
}

/** The address that ADD gave, without its prefix length. */
export function addressOf(answer: CniAnswer): string {
  const [first] = answer.body["ips"] as { address: string }[];
  return first!.address.split("/")[0]!;
}

async function outcome(running: Promise<string>): Promise<CniAnswer> {
  try {
    return { exitCode: 0, body: parsed(await running), stderr: "" };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { exitCode: error.exitCode ?? -1, body: parsed(error.stdout), stderr: error.stderr };
  }
}

function parsed(stdout: string): Record<string, unknown> {
  return stdout.trim() === "" ? {} : (JSON.parse(stdout) as Record<string, unknown>);
}
