import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { installPlugins, networkConfig } from "../node-agent/network/install-plugins.ts";

const GOAL_MS = 40;
const DEBIAN_DIR = "/usr/lib/cni";
const SOURCE_DIR = path.resolve(import.meta.dirname, "..", "cni-plugins");
const NETWORK = { podCidr: "10.99.0.0/24", mtu: 1500 };

/** ADD of one pod, by our bridge and by Debian's, each with its host-local; and what Node alone costs of it. */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  if (process.getuid?.() !== 0) {
    print("cni-add: skipped (namespaces need root)");
    return;
  }
  const dir = mkdtempSync(path.join(tmpdir(), "keelson-cni-"));
  const [node, pod] = ["node", "pod"].map((name) => `bench-${process.pid}-${name}`) as [string, string];
  try {
    for (const name of [node, pod]) must(["ip", "netns", "add", name], "");
    measure(print, { dir, node, pod, runs: options.quick ? 5 : 25 });
  } finally {
    for (const name of [pod, node]) spawnSync("ip", ["netns", "del", name]);
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Setting {
  readonly dir: string;
  readonly node: string;
  readonly pod: string;
  readonly runs: number;
}

function measure(print: (line: string) => void, setting: Setting): void {
  const binDir = path.join(setting.dir, "bin");
  const reservationsDir = path.join(setting.dir, "ours");
  const confDir = path.join(setting.dir, "conf");
  const compileCacheDir = path.join(setting.dir, "cache");
  installPlugins(
    { sourceDir: SOURCE_DIR, binDir, confDir, reservationsDir, nodePath: process.execPath, compileCacheDir },
    NETWORK,
  );
  const empty = path.join(setting.dir, "empty.mjs");
  writeFileSync(empty, "");
  const debian = existsSync(path.join(DEBIAN_DIR, "bridge"));
  const times = { bare: [] as number[], ours: [] as number[], debian: [] as number[] };
  // Each in turn, so that what else the machine does weighs on all alike; the first round only warms.
  for (let round = 0; round <= setting.runs; round++) {
    const bareMs = timed(() => must([process.execPath, empty], ""));
    const oursMs = addAndDelete(setting, binDir, reservationsDir, "cni0");
    const debianMs = debian ? addAndDelete(setting, DEBIAN_DIR, path.join(setting.dir, "debian"), "cni1") : 0;
    if (round === 0) continue;
    times.bare.push(bareMs);
    times.ours.push(oursMs);
    times.debian.push(debianMs);
  }
  const [bareMs, oursMs] = [median(times.bare), median(times.ours)];
  const all = `ADD ${oursMs.toFixed(1)} ms, a bare Node start ${bareMs.toFixed(1)} ms`;
  print(`cni-add/over-node: limit ${GOAL_MS} ms (ours ${(oursMs - bareMs).toFixed(1)} ms: ${all})`);
  if (!debian) print(`cni-add/debian: skipped (no plugins in ${DEBIAN_DIR}: containernetworking-plugins)`);
  else {
    const debianMs = median(times.debian);
    print(
      `cni-add/debian: ratio ${(oursMs / debianMs).toFixed(1)} (ours ${oursMs.toFixed(1)} ms, Debian's bridge ${debianMs.toFixed(1)} ms)`,
    );
  }
}

function addAndDelete(setting: Setting, binDir: string, reservationsDir: string, bridge: string): number {
  const { name, plugins } = networkConfig(reservationsDir, NETWORK);
  const config = JSON.stringify({ ...plugins[0], cniVersion: "1.0.0", name, bridge });
  const call = (command: string): void => {
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: "bench",
      CNI_IFNAME: "eth0",
      CNI_NETNS: `/run/netns/${setting.pod}`,
      CNI_PATH: binDir,
    };
    must(["nsenter", `--net=/run/netns/${setting.node}`, path.join(binDir, "bridge")], config, env);
  };
  const addMs = timed(() => call("ADD"));
  call("DEL");
  return addMs;
}

function must(argv: readonly string[], input: string, env: Record<string, string> = {}): void {
  const done = spawnSync(argv[0]!, argv.slice(1), {
    input,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], ...env },
  });
  if (done.status !== 0) throw new Error(`${argv.join(" ")}: ${done.stdout}${done.stderr}`);
}

function timed(action: () => void): number {
  const startedMs = performance.now();
  action();
  return performance.now() - startedMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
