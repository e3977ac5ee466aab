import { accessSync, constants, copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import type { Server } from "node:net";
import path from "node:path";
import { SPLIT_NODES_MAX } from "../cluster/cluster-nodes.ts";
import type { ClusterRecord } from "../cluster/cluster-record.ts";
import { enterCommand, LocalNetwork, RangeTakenError } from "../cluster/local-network.ts";
import { planNetwork } from "../cluster/network-plan.ts";
import { runCommand } from "../lib/process/command.ts";
import { makeFolder } from "../lib/process/make-folder.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { endLeftovers, openListener, runningPid, startProcess } from "./cluster-process.ts";
import {
  type Command,
  type CommandIo,
  choiceFlag,
  type FlagValues,
  integerFlag,
  parseFlags,
  stringFlag,
  UsageError,
} from "./command.ts";
import { DataDir, nearestExisting } from "./data-dir.ts";
import { stopCluster } from "./down.ts";
import { kubectlFolder } from "./kubectl.ts";
import { LAYOUT_FLAGS, type Layout, type LayoutWish, layoutFlags, settleLayout } from "./layout-choice.ts";
import { Progress } from "./progress.ts";
import { chooseRuntime, type RuntimeName } from "./runtime-choice.ts";

const DEFAULT_API_PORT = 6443;
const NODES_MAX = 5_000;
const ID_LENGTH = 5;
const PLANS_MAX = 5;

export const upCommand: Command = {
  summary: "starts a cluster, or says that it runs",
  usage: `keelson up [--data-dir=DIR] [--layout=all-in-one|split] [--runtime=containerd|simulated] [--nodes=N]
           [--api-port=N] [--kubeconfig=PATH] [--foreground]

  --layout      all-in-one (one process, the default) or split (a process for each role, two of most, supervised)
  --runtime     containerd (real containers; needs root) or simulated; the default is containerd where it can run
  --nodes       number of simulated nodes (1)
  --api-port    port of the API on 127.0.0.1; 0 takes a free one (${DEFAULT_API_PORT}, or a free one where that is taken)
  --kubeconfig  also writes the kubeconfig there
  --foreground  stays, and takes the cluster down when it is interrupted

  --store=etcd://HOST:PORT[,HOST:PORT...]
                with --layout=split: keeps objects in that etcd instead of a store of its own
  --store-cert, --store-key, --store-ca
                PEM files: the certificate and key that etcd knows clients by, and the authority of its own
  --store-insecure
                that etcd is on loopback and takes plain text`,
  run: up,
};

interface UpFlags {
  readonly dataDir: DataDir;
  /** The user named the folder, so further commands must too. */
  readonly named: boolean;
  readonly runtime: RuntimeName | undefined;
  readonly layout: LayoutWish;
  readonly nodes: number | undefined;
  readonly apiPort: number | undefined;
  readonly kubeconfig: string | undefined;
  readonly foreground: boolean;
}

async function up(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = readFlags(args, io);
  const record = flags.dataDir.readRecord<ClusterRecord>();
  const { runtime, reason } = settleRuntime(flags, record, io);
  const world = { dataDir: flags.dataDir.path, searchPath: io.env["PATH"] ?? "" };
  const layout = settleLayout(flags.layout, record, world);
  checkNodes(flags, runtime, layout);
  if (flags.kubeconfig !== undefined) checkWritable(flags.kubeconfig);
  if (runningPid(flags.dataDir) !== undefined) return alreadyUp(flags, record, io);

  // Of the split layout, when its supervisor was killed: they hold the ports.
  await endLeftovers(flags.dataDir, (ms) => realClock.sleep(ms));
  const progress = new Progress(realClock, (text) => io.out(text));
  const listener = await settleListener(flags, record);
  const roles = layout.name === "split" ? "a process per role, " : "";
  io.out(
    `keelson up: ${roles}${runtime} runtime${reason === "" ? "" : ` (${reason})`}, data in ${flags.dataDir.path}\n`,
  );
  const next = await settleRecord(flags, record, { runtime, layout, apiPort: listener.port });
  try {
    flags.dataDir.make();
    return await start(flags, next, listener.server, progress, io);
  } finally {
    listener.server.close();
  }
}

function readFlags(args: readonly string[], io: CommandIo): UpFlags {
  const { values } = parseFlags(args, {
    "data-dir": "string",
    ...LAYOUT_FLAGS,
    runtime: "string",
    nodes: "string",
    "api-port": "string",
    kubeconfig: "string",
    foreground: "boolean",
  });
  const dataDir = DataDir.from(stringFlag(values, "data-dir"), io.env);
  dataDir.ensureUsable();
  return {
    dataDir,
    named: values["data-dir"] !== undefined,
    runtime: choiceFlag(values, "runtime", ["containerd", "simulated"] as const),
    layout: layoutFlags(values),
    nodes: optionalInteger(values, "nodes", 1, NODES_MAX),
    apiPort: optionalInteger(values, "api-port", 0, 65_535),
    kubeconfig: stringFlag(values, "kubeconfig"),
    foreground: values["foreground"] === true,
  };
}

function optionalInteger(values: FlagValues, name: string, min: number, max: number): number | undefined {
  return values[name] === undefined ? undefined : integerFlag(values, name, min, max, min);
}

/** A cluster keeps the runtime that it was made with. */
function settleRuntime(
  flags: UpFlags,
  record: ClusterRecord | undefined,
  io: CommandIo,
): { runtime: RuntimeName; reason: string } {
  if (record !== undefined && flags.runtime !== undefined && flags.runtime !== record.runtime) {
    const remedy = `remove it with "keelson down --purge --data-dir=${flags.dataDir.path}", or choose another --data-dir`;
    throw new UsageError(`--runtime=${flags.runtime}: this cluster was made with ${record.runtime}; ${remedy}`);
  }
  return chooseRuntime(record?.runtime ?? flags.runtime, io.env["PATH"] ?? "");
}

function checkNodes(flags: UpFlags, runtime: RuntimeName, layout: Layout): void {
  if (layout.name === "split" && flags.nodes !== undefined && flags.nodes > SPLIT_NODES_MAX) {
    throw new UsageError(
      `--nodes=${flags.nodes}: in the split layout each node is a process, ${SPLIT_NODES_MAX} at most`,
    );
  }
  if (runtime === "containerd" && flags.nodes !== undefined && flags.nodes > 1) {
    throw new UsageError(
      `--nodes=${flags.nodes} needs --runtime=simulated: this release runs one node with real containers`,
    );
  }
}

function checkWritable(file: string): void {
  const target = path.resolve(file);
  const existing = nearestExisting(target);
  const isFolder = statSync(existing).isDirectory();
  if (existing === target && isFolder) throw new UsageError(`--kubeconfig ${file} is a folder: name a file`);
  if (existing !== target && !isFolder) throw new UsageError(`--kubeconfig ${file}: ${existing} is not a folder`);
  try {
    accessSync(existing, constants.W_OK);
    // Root may write everywhere by its rights; in /proc, say, only trying tells (and Node's recursive mkdir never ends there).
    if (isFolder) rmSync(mkdtempSync(path.join(existing, ".keelson-")), { recursive: true });
  } catch (error) {
    throw new UsageError(`--kubeconfig ${file} cannot be written by this user`, { cause: error });
  }
}

async function alreadyUp(flags: UpFlags, record: ClusterRecord | undefined, io: CommandIo): Promise<number> {
  if (flags.apiPort !== undefined && flags.apiPort !== 0 && flags.apiPort !== record?.apiPort) {
    throw new UsageError(
      `--api-port=${flags.apiPort}: the cluster runs on port ${record?.apiPort}; take it down first`,
    );
  }
  if (flags.nodes !== undefined && flags.nodes !== record?.nodes) {
    throw new UsageError(`--nodes=${flags.nodes}: the cluster runs with ${record?.nodes}; take it down first`);
  }
  io.out(`the cluster at ${flags.dataDir.path} runs already\n`);
  await finish(flags, io);
  return 0;
}

async function settleListener(
  flags: UpFlags,
  record: ClusterRecord | undefined,
): Promise<{ server: Server; port: number }> {
  if (flags.apiPort !== undefined) return openListener(flags.apiPort);
  if (record !== undefined) return openListener(record.apiPort);
  return openListener(DEFAULT_API_PORT).catch(() => openListener(0));
}

async function settleRecord(
  flags: UpFlags,
  record: ClusterRecord | undefined,
  chosen: { readonly runtime: RuntimeName; readonly layout: Layout; readonly apiPort: number },
): Promise<ClusterRecord> {
  const { name, store } = chosen.layout;
  const id = record?.id ?? realRandom.suffix(ID_LENGTH);
  const network = record?.network;
  return {
    id,
    layout: name,
    runtime: chosen.runtime,
    nodes: flags.nodes ?? record?.nodes ?? 1,
    apiPort: chosen.apiPort,
    grpcPort: record?.grpcPort ?? (await freePort()),
    ...(network === undefined ? {} : { network }),
    ...(store === undefined ? {} : { store }),
  };
}

/** One that nobody has now, for a server that is started soon. */
async function freePort(): Promise<number> {
  const { server, port } = await openListener(0);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function start(
  flags: UpFlags,
  settled: ClusterRecord,
  listener: Server,
  progress: Progress,
  io: CommandIo,
): Promise<number> {
  const { record, prefix } =
    settled.runtime === "containerd"
      ? await makeNetwork(flags.dataDir, settled, progress, io)
      : { record: settled, prefix: [] };
  flags.dataDir.writeRecord(record);
  const started = startProcess(flags.dataDir, record.layout ?? "all-in-one", listener, prefix);
  listener.close();
  const exit = new Promise<number>((resolve) => started.child.on("exit", (code) => resolve(code ?? 1)));
  let ready = false;
  for await (const line of started.progress) {
    progress.done(line);
    if (line === "ready") {
      ready = true;
      break;
    }
  }
  if (!ready) {
    await exit;
    await stopCluster(flags.dataDir, record);
    throw new UsageError(`the cluster's process ended before it was ready; why is in ${flags.dataDir.logFile}`);
  }
  io.out(`ready after ${progress.totalText}\n`);
  await finish(flags, io);
  if (!flags.foreground) {
    started.child.unref();
    return 0;
  }
  return stay(flags.dataDir, record, exit);
}

/** The node's network on the machine, planned at the first start and kept. */
async function makeNetwork(
  dataDir: DataDir,
  settled: ClusterRecord,
  progress: Progress,
  io: CommandIo,
): Promise<{ record: ClusterRecord; prefix: string[] }> {
  const network = new LocalNetwork(runCommand);
  for (let attempt = 1; ; attempt++) {
    const plan = settled.network ?? planNetwork(settled.id, await network.usedRanges());
    // Written before anything is made, so that `down` can take away what a start that was killed half-way left.
    dataDir.writeRecord({ ...settled, network: plan });
    try {
      const { commandsToRun } = await network.create(plan);
      progress.done(`network ${plan.clusterCidr}`);
      for (const command of commandsToRun) io.out(`  for pods to reach the outside, run: ${command}\n`);
      return { record: { ...settled, network: plan }, prefix: enterCommand(plan) };
    } catch (error) {
      if (!(error instanceof RangeTakenError)) throw error;
      // Another cluster that started at this moment was faster; ranges that are in use already cannot change.
      if (settled.network !== undefined || attempt === PLANS_MAX) throw new UsageError(error.message, { cause: error });
    }
  }
}

/** Until interrupted or until the process ends by itself; then everything is taken away. */
async function stay(dataDir: DataDir, record: ClusterRecord, exit: Promise<number>): Promise<number> {
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve(0));
  });
  const code = await Promise.race([exit, interrupted]);
  await stopCluster(dataDir, record);
  return code;
}

async function finish(flags: UpFlags, io: CommandIo): Promise<void> {
  let kubeconfig = flags.dataDir.kubeconfig;
  if (flags.kubeconfig !== undefined) {
    const target = path.resolve(flags.kubeconfig);
    makeFolder(path.dirname(target), 0o777);
    copyFileSync(kubeconfig, target);
    kubeconfig = target;
  }
  const which = flags.named ? ` --data-dir=${flags.dataDir.path}` : "";
  const image = `keelson image build-test${which}`;
  io.out(`
export KUBECONFIG=${kubeconfig}
export PATH=${await kubectlFolder()}:${path.resolve(import.meta.dirname, "..", "bin")}:$PATH

Then: kubectl run web --image=<image> --port=8080   (without a registry: --image=$(${image}))
      kubectl get pods -o wide
`);
}
