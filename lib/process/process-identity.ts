import { readdirSync, readFileSync } from "node:fs";

/** A process, told apart from a later one that got the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from the machine's start to the process's, from /proc. */
  readonly startTicks: string;
}

/** Identity of a process that exists now; of one that has ended it matches nothing. */
export function processIdentity(pid: number): ProcessIdentity {
  return { pid, startTicks: statOf(pid)?.startTicks ?? "gone" };
}

/** Running processes by their command line: what no record can forget. */
export function findProcesses(matches: (argv: readonly string[]) => boolean): ProcessIdentity[] {
  return allPids()
    .filter((pid) => matches(commandLine(pid)))
    .map(processIdentity)
    .filter(isRunning);
}

/**
 * Running processes that `leader`, which made a session of its own, has started and they in turn, unless they left it for
 * another. As long as one of them runs the kernel gives the leader's number to nobody else; `leader` must be of this boot.
 */
export function sessionMembers(leader: ProcessIdentity): ProcessIdentity[] {
  return allPids().flatMap((pid) => {
    const stat = statOf(pid);
    if (stat === undefined || stat.session !== leader.pid || isEnded(stat)) return [];
    return Number(stat.startTicks) < Number(leader.startTicks) ? [] : [{ pid, startTicks: stat.startTicks }];
  });
}

/** Names this run of the kernel: process numbers and start times of another mean nothing. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** False also for a process that has ended and only waits for its parent. */
export function isRunning({ pid, startTicks }: ProcessIdentity): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.startTicks === startTicks && !isEnded(stat);
}

/** Does nothing when the process is gone. */
export function signalProcess(identity: ProcessIdentity, signal: "SIGTERM" | "SIGKILL"): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function isEnded({ state }: ProcessStat): boolean {
  return state === "Z" || state === "X";
}

interface ProcessStat {
  readonly state: string;
  readonly session: number;
  readonly startTicks: string;
}

function statOf(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; what follows its end is regular. Fields 3, 6 and 22 by proc(5).
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", session: Number(fields[3]), startTicks: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}
