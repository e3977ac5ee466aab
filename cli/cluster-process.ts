import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import path from "node:path";
import {
  bootId,
  isRunning,
  type ProcessIdentity,
  processIdentity,
  sessionMembers,
  signalProcess,
} from "../lib/process/process-identity.ts";
import { UsageError } from "./command.ts";
import type { DataDir } from "./data-dir.ts";

const KEELSON = path.resolve(import.meta.dirname, "..", "bin", "keelson");
/** Where the child finds the API's listening socket and the pipe that it tells its progress on. */
const LISTEN_FD = 3;
const PROGRESS_FD = 4;
const POLL_MS = 50;

interface ProcessRecord extends ProcessIdentity {
  /** Absent in records of earlier releases. */
  readonly bootId?: string;
}

const RECORD = "run/process.json";

/** The pid of the cluster's process, when it is the one we started and still runs. */
export function runningPid(dataDir: DataDir): number | undefined {
  const record = readProcessRecord(dataDir);
  return record !== undefined && isRunning(record) ? record.pid : undefined;
}

function readProcessRecord(dataDir: DataDir): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(dataDir.file(RECORD), "utf8"));
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

/**
 * Starts the cluster's process (all of it, or the supervisor of its processes) in a session of its own, with the listener
 * inherited, where `prefix` (nsenter) says.
 */
export function startProcess(
  dataDir: DataDir,
  role: "all-in-one" | "split",
  listener: Server,
  prefix: readonly string[],
): StartedProcess {
  const log = openSync(dataDir.logFile, "a", 0o600);
  const command = [...prefix, process.execPath, "--disallow-code-generation-from-strings", KEELSON];
  const args = ["run", role, `--data-dir=${dataDir.path}`, `--listen-fd=${LISTEN_FD}`, `--progress-fd=${PROGRESS_FD}`];
  // Node has no public way to hand on a listening socket by number; libuv's handle carries it.
  const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
  const child = spawn(command[0]!, [...command.slice(1), ...args], {
    cwd: "/",
    detached: true,
    stdio: ["ignore", log, log, fd, "pipe"],
  });
  if (child.pid === undefined) throw new UsageError(`${command[0]} did not start`);
  const record: ProcessRecord = { ...processIdentity(child.pid), bootId: bootId() };
  dataDir.writeAtomically(RECORD, JSON.stringify(record), 0o600);
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

/** SIGTERM, then SIGKILL when the process does not end in time; then what it left running. Resolves when all is gone. */
export async function stopProcess(
  dataDir: DataDir,
  limitMs: number,
  sleep: (ms: number) => Promise<void>,
): Promise<boolean> {
  const record = readProcessRecord(dataDir);
  if (record === undefined) return false;
  const wasRunning = isRunning(record);
  signalProcess(record, "SIGTERM");
  for (let waitedMs = 0; isRunning(record); waitedMs += POLL_MS) {
    if (waitedMs > limitMs) signalProcess(record, "SIGKILL");
    await sleep(POLL_MS);
  }
  const hadLeftovers = await endLeftovers(dataDir, sleep);
  rmSync(dataDir.file(RECORD), { force: true });
  return wasRunning || hadLeftovers;
}

/**
 * Ends at once what a process of the cluster that was killed has started: in the split layout, all of it. They are known by
 * their session, which no record can miss; containers and containerd have left it and go on. Resolves to
 * whether there was anything.
 */
export async function endLeftovers(dataDir: DataDir, sleep: (ms: number) => Promise<void>): Promise<boolean> {
  const record = readProcessRecord(dataDir);
  if (record === undefined || record.bootId !== bootId() || isRunning(record)) return false;
  for (let round = 0; ; round++) {
    const left = sessionMembers(record);
    if (left.length === 0) return round > 0;
    for (const each of left) signalProcess(each, "SIGKILL");
    await sleep(POLL_MS);
  }
}
