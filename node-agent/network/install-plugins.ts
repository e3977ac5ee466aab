import { chmodSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";

export interface PluginInstallation {
  /** Folder of the plugins' sources: one folder per plugin with a `main.ts`. */
  readonly sourceDir: string;
  readonly binDir: string;
  readonly confDir: string;
  /** Where host-local keeps its reservations. */
  readonly reservationsDir: string;
  /** The Node that runs them. */
  readonly nodePath: string;
  /** Folder of Node's compile cache; without it every call would strip types anew. */
  readonly compileCacheDir: string;
}

export interface PodNetworkConfig {
  /** The node's range, in which the bridge has the first address. */
  readonly podCidr: string;
  readonly mtu: number;
}

/** A network configuration list of the CNI specification. */
export interface NetworkConfig {
  readonly cniVersion: string;
  readonly cniVersions: readonly string[];
  readonly name: string;
  readonly plugins: readonly (Readonly<Record<string, unknown>> & { readonly type: string })[];
}

export const PLUGINS = ["bridge", "host-local", "loopback", "portmap"] as const;
export const NETWORK_NAME = "pods";
export const BRIDGE_NAME = "cni0";
const CONFLIST_FILE = "10-keelson.conflist";
/** Plugins are in the language that this file is in: TypeScript in a checkout, JavaScript in a package. */
const MAIN_FILE = `main${extname(import.meta.filename)}`;

/**
 * Puts the plugins as executables into `binDir` and the network's configuration into `confDir`. The configuration comes
 * last and at once, since a runtime that watches the folder takes its presence for "the network is ready".
 */
export function installPlugins(installation: PluginInstallation, network: PodNetworkConfig): void {
  for (const dir of [installation.binDir, installation.confDir, installation.reservationsDir]) {
    mkdirSync(dir, { recursive: true });
  }
  for (const plugin of PLUGINS)
    writeWhole(join(installation.binDir, plugin), pluginScript(installation, plugin), 0o755);
  const conflist = JSON.stringify(networkConfig(installation.reservationsDir, network), undefined, 2);
  writeWhole(join(installation.confDir, CONFLIST_FILE), `${conflist}\n`, 0o644);
}

/** The network as a list of plugins. libcni of containerd 1.6 knows versions up to 1.0.0, and ignores `cniVersions`. */
export function networkConfig(reservationsDir: string, network: PodNetworkConfig): NetworkConfig {
  const ipam = { type: "host-local", ranges: [[{ subnet: network.podCidr }]], dataDir: reservationsDir };
  const bridge = {
    type: "bridge",
    bridge: BRIDGE_NAME,
    isDefaultGateway: true,
    hairpinMode: true,
    mtu: network.mtu,
    capabilities: { portMappings: true },
    ipam,
  };
  return { cniVersion: "1.0.0", cniVersions: ["1.0.0", "1.1.0"], name: NETWORK_NAME, plugins: [bridge] };
}

/** A shell that turns into Node costs a millisecond; Node finds its compile cache by environment only. */
function pluginScript(installation: PluginInstallation, plugin: string): string {
  const main = join(installation.sourceDir, plugin, MAIN_FILE);
  return `#!/bin/sh
unset NODE_OPTIONS
NODE_COMPILE_CACHE=${quoted(installation.compileCacheDir)} exec ${quoted(installation.nodePath)} ${quoted(main)}
`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Nobody ever sees half a file: a plugin may be called while it is replaced. */
function writeWhole(path: string, text: string, mode: number): void {
  const temporary = join(path, "..", `.${path.split("/").at(-1)}.new`);
  writeFileSync(temporary, text);
  chmodSync(temporary, mode);
  renameSync(temporary, path);
}
