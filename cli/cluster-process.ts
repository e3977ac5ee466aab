import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import path from "node:path";
import { UsageError } from "./command.ts";
import type { DataDir } from "./data-dir.ts";

const KEELSON = path.resolve(import.meta.dirname, "..", "bin", "keelson");
/** Where the child finds the API's listening socket and the pipe that it tells its progress on. */
const LISTEN_FD = 3;
const PROGRESS_FD = 4;

interface ProcessRecord {
  readonly pid: number;
  /** Start time in clock ticks since boot, from /proc: tells our process from a later one with the same number. */
  readonly startTicks: string;
}

/** The pid of the cluster's process, when it is the one we started and still runs. */
export function runningPid(dataDir: DataDir): number | undefined {
  let record: ProcessRecord;
  try {
    record = JSON.parse(readFileSync(dataDir.file("run", "process.json"), "utf8"));
  } catch {
    return undefined;
  }
  return startTicksOf(record.pid) === record.startTicks ? record.pid : undefined;
}

function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The API's socket on the machine; port 0 takes a free one. */
export async function openListener(port: number): Promise<{ server: Server; port: number }> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) =>
      server.once("error", reject).listen({ port, host: "127.0.0.1" }, resolve),
    );
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    const why = taken
      ? "is taken: choose another, or 0 for a free one"
      : `cannot be opened: ${(error as Error).message}`;
    throw new UsageError(`--api-port ${port} ${why}`, { cause: error });
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the API's socket has no port");
  return { server, port: address.port };
}

export interface StartedProcess {
  readonly child: ChildProcess;
  /** Lines of progress as they come; ends when the process is ready or gone. */
  readonly progress: AsyncIterable<string>;
}

/** Starts the one process of the all-in-one layout, with the listener inherited, where `prefix` (nsenter) says. */
export function startProcess(
  dataDir: DataDir,
  listener: Server,
  prefix: readonly string[],
  detached: boolean,
): StartedProcess {
  const log = openSync(dataDir.logFile, "a", 0o600);
  const command = [...prefix, process.execPath, "--disallow-code-generation-from-strings", KEELSON];
  const args = [
    "run",
    "all-in-one",
    `--data-dir=${dataDir.path}`,
    `--listen-fd=${LISTEN_FD}`,
    `--progress-fd=${PROGRESS_FD}`,
  ];
  // Node has no public way to hand on a listening socket by number; libuv's handle carries it.
  const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
  const child = spawn(command[0]!, [...command.slice(1), ...args], {
    cwd: "/",
    detached,
    stdio: ["ignore", log, log, fd, "pipe"],
  });
  const startTicks = child.pid === undefined ? undefined : startTicksOf(child.pid);
  if (child.pid === undefined || startTicks === undefined) throw new UsageError(`${command[0]} did not start`);
  const record: ProcessRecord = { pid: child.pid, startTicks };
  dataDir.writeAtomically("run/process.json", JSON.stringify(record), 0o600);
  const pipe = child.stdio[PROGRESS_FD] as NodeJS.ReadableStream;
  return { child, progress: linesOf(pipe) };
}

async function* linesOf(stream: NodeJS.ReadableStream): AsyncIterable<string> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** SIGTERM, then SIGKILL when the process does not end in time. Resolves when it is gone. */
export async function stopProcess(
  dataDir: DataDir,
  limitMs: number,
  sleep: (ms: number) => Promise<void>,
): Promise<boolean> {
  const pid = runningPid(dataDir);
  if (pid !== undefined) {
    process.kill(pid, "SIGTERM");
    for (let waitedMs = 0; runningPid(dataDir) !== undefined; waitedMs += 50) {
      if (waitedMs > limitMs) process.kill(pid, "SIGKILL");
      await sleep(50);
    }
  }
  rmSync(dataDir.file("run", "process.json"), { force: true });
  return pid !== undefined;
}
