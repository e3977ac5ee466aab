import { readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** User and system time of all threads of a process. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function residentMb(pid: number): number {
  return megabytes(`/proc/${pid}/status`, /VmRSS:\s+(\d+)/);
}

/** Pages that several processes have are divided among them. */
export function proportionalMb(pid: number): number {
  return megabytes(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+)/m);
}

function megabytes(file: string, kilobytes: RegExp): number {
  return Number(kilobytes.exec(readFileSync(file, "utf8"))?.[1]) / 1_024;
}
