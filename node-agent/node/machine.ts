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
}

const POD_LIMIT = 110;

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
  };
}

/** Names of `kubernetes.io/arch` are Go's. */
function goArchitecture(name: string): string {
  return name === "x64" ? "amd64" : name;
}

async function text(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).trim();
}
