import { readFile, statfs } from "node:fs/promises";
import { arch, cpus, totalmem } from "node:os";

/** What a node has and is, for its Node object. */
export interface Machine {
  /** Resource name to quantity. */
  readonly capacity: Readonly<Record<string, string>>;
  readonly memoryBytes: number;
  readonly architecture: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  /** What runs short now. */
  pressures(): Promise<Pressures>;
}

export interface Pressures {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pids: boolean;
}

const POD_LIMIT = 110;

/** Hard eviction's default of upstream for memory; for disks k3s' 5 %, since a laptop's disk is often nine tenths full. */
const MEMORY_LEAST_BYTES = 100 * 2 ** 20;
const SHARE_LEAST = 0.05;

/** This machine. */
export async function readMachine(rootDir: string): Promise<Machine> {
  const memoryBytes = totalmem();
  const disk = await statfs(rootDir);
  const release = await text("/etc/os-release");
  return {
    capacity: {
      cpu: String(cpus().length),
      memory: `${Math.floor(memoryBytes / 1024)}Ki`,
      "ephemeral-storage": `${Math.floor((disk.blocks * disk.bsize) / 1024)}Ki`,
      pods: String(POD_LIMIT),
    },
    memoryBytes,
    architecture: goArchitecture(arch()),
    kernelVersion: await text("/proc/sys/kernel/osrelease"),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? "Linux",
    machineId: await text("/etc/machine-id"),
    systemUuid: await text("/sys/class/dmi/id/product_uuid"),
    bootId: await text("/proc/sys/kernel/random/boot_id"),
    pressures: () => readPressures(rootDir),
  };
}

/** A machine that exists only as figures. */
export function simulatedMachine(capacity: Readonly<Record<string, string>> = {}): Machine {
  return {
    capacity: { cpu: "8", memory: "32Gi", "ephemeral-storage": "100Gi", pods: String(POD_LIMIT), ...capacity },
    memoryBytes: 32 * 2 ** 30,
    architecture: goArchitecture(arch()),
    kernelVersion: "simulated",
    osImage: "simulated",
    machineId: "",
    systemUuid: "",
    bootId: "",
    pressures: async () => ({ memory: false, disk: false, pids: false }),
  };
}

async function readPressures(rootDir: string): Promise<Pressures> {
  const [memory, load, threadsMax, disk] = await Promise.all([
    text("/proc/meminfo"),
    text("/proc/loadavg"),
    text("/proc/sys/kernel/threads-max"),
    statfs(rootDir),
  ]);
  const availableBytes = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(memory)?.[1] ?? Number.POSITIVE_INFINITY) * 1024;
  const threads = Number(/\d+\/(\d+)/.exec(load)?.[1] ?? 0);
  return {
    memory: availableBytes < MEMORY_LEAST_BYTES,
    // Some file systems have no count of inodes: 0 of 0 is not a shortage.
    disk: disk.bavail < disk.blocks * SHARE_LEAST || disk.ffree < disk.files * SHARE_LEAST,
    pids: threadsMax !== "" && threads > Number(threadsMax) * (1 - SHARE_LEAST),
  };
}

/** Names of `kubernetes.io/arch` are Go's. */
function goArchitecture(name: string): string {
  return name === "x64" ? "amd64" : name;
}

async function text(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).trim();
}
