import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandError } from "../../../lib/process/command.ts";
import { findProcesses, isRunning, signalProcess } from "../../../lib/process/process-identity.ts";
import { unmountBelow } from "../../volumes/unmount-below.ts";
import type { ContainerdConfig } from "./containerd-config.ts";
import { socketPath } from "./containerd-config.ts";
import type { ContainerdInstanceParts } from "./containerd-instance.ts";

const SHIM_LIMIT_MS = 10_000;
const POLL_MS = 10;
const PARALLEL_DELETES = 16;
/** libcni keeps results here whatever it is told about other folders. */
const CNI_RESULTS_DIR = "/var/lib/cni/results";

type Directories = Pick<ContainerdConfig, "stateDir">;

/** One container of the instance, as its bundle directory tells of it. */
interface Bundle {
  readonly namespace: string;
  readonly id: string;
  readonly dir: string;
}

/** Ends what outlives containerd: containers, their shims, mounts, cgroups, sockets, cached network results. */
export async function endLeftovers(parts: ContainerdInstanceParts, directories: Directories): Promise<void> {
  const bundles = bundlesOf(directories);
  const cgroups = bundles.flatMap(cgroupOf);
  for (let i = 0; i < bundles.length; i += PARALLEL_DELETES) {
    const some = bundles.slice(i, i + PARALLEL_DELETES);
    await Promise.all(some.map((bundle) => deleteContainer(parts, directories, bundle)));
  }
  await endShims(parts, directories);
  for (const bundle of bundles) removeShimSocket(bundle);
  removeNetworkResults(directories);
  await unmountBelow(parts.run, directories.stateDir);
  for (const cgroup of cgroups) removeEmptyParents(cgroup);
}

function bundlesOf({ stateDir }: Directories): Bundle[] {
  const base = join(stateDir, "io.containerd.runtime.v2.task");
  return list(base).flatMap((namespace) =>
    list(join(base, namespace)).map((id) => ({ namespace, id, dir: join(base, namespace, id) })),
  );
}

function list(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}

async function deleteContainer(
  parts: ContainerdInstanceParts,
  { stateDir }: Directories,
  bundle: Bundle,
): Promise<void> {
  try {
    await parts.run(["runc", "--root", join(stateDir, "runc", bundle.namespace), "delete", "--force", bundle.id]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // Half-made or half-deleted: whatever of it runs is a child of the shim or ends with its namespace.
    parts.log.warn("runc cannot delete a container", { container: bundle.id, error: error.message });
  }
}

/** Shims carry the address of their containerd among their arguments. */
async function endShims(parts: ContainerdInstanceParts, directories: Directories): Promise<void> {
  const address = socketPath(directories);
  const shims = findProcesses(
    (argv) => (argv[0] ?? "").includes("containerd-shim") && argv[argv.indexOf("-address") + 1] === address,
  );
  const endMs = parts.clock.monotonicMs() + SHIM_LIMIT_MS;
  for (const shim of shims) signalProcess(shim, "SIGKILL");
  while (shims.some(isRunning) && parts.clock.monotonicMs() < endMs) await parts.clock.sleep(POLL_MS);
}

function removeShimSocket(bundle: Bundle): void {
  const addressFile = join(bundle.dir, "address");
  if (!existsSync(addressFile)) return;
  const socket = readFileSync(addressFile, "utf8")
    .trim()
    .replace(/^unix:\/\//, "");
  if (socket.startsWith("/run/containerd/s/")) rmSync(socket, { force: true });
}

/** Their names are those of network, sandbox and interface. */
function removeNetworkResults({ stateDir }: Directories): void {
  const sandboxes = list(join(stateDir, "io.containerd.grpc.v1.cri", "sandboxes"));
  for (const name of list(CNI_RESULTS_DIR)) {
    if (sandboxes.some((id) => name.includes(`-${id}-`))) rmSync(join(CNI_RESULTS_DIR, name), { force: true });
  }
}

function cgroupOf(bundle: Bundle): string[] {
  try {
    const spec = JSON.parse(readFileSync(join(bundle.dir, "config.json"), "utf8")) as {
      linux?: { cgroupsPath?: string };
    };
    const path = spec.linux?.cgroupsPath;
    return path?.startsWith("/") === true ? [path] : [];
  } catch {
    return [];
  }
}

/** runc removes the cgroup of a container; those of its pod and class are for whoever asked for them. */
function removeEmptyParents(cgroup: string): void {
  const roots = existsSync("/sys/fs/cgroup/cgroup.controllers")
    ? ["/sys/fs/cgroup"]
    : list("/sys/fs/cgroup").map((controller) => join("/sys/fs/cgroup", controller));
  for (const root of roots) {
    for (let path = cgroup; path !== "/" && path !== "."; path = dirname(path)) {
      if (!removedEmpty(join(root, path))) break;
    }
  }
}

function removedEmpty(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    // Gone already is as good as removed; in use by another ends the walk.
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
