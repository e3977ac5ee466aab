import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** A change of a file, or a promise about it, in the order in which the store's thread asked for it. */
export type DiskOp =
  | { readonly at: number; readonly do: "write"; readonly file: string; readonly offset: number; readonly data: Buffer }
  | { readonly at: number; readonly do: "truncate"; readonly file: string; readonly size: number }
  | { readonly at: number; readonly do: "sync" | "unlink"; readonly file: string };

export interface DiskTrace {
  readonly ops: readonly DiskOp[];
  /** Lines that the program wrote to standard output, with their time. */
  readonly lines: readonly { readonly at: number; readonly text: string }[];
}

/** Flags of strace that give what `readTrace` reads: one file per thread, times, paths of descriptors, all in hex. */
export function straceFlags(prefix: string): string[] {
  const calls = "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink";
  return ["-ff", "-qq", "-ttt", "-y", "-xx", "-s", "100000", "-o", prefix, "-e", calls, "-e", "signal=none"];
}

/** What happened to the files of the database, by base name. */
export function readTrace(dir: string): DiskTrace {
  const ops: DiskOp[] = [];
  const lines: { at: number; text: string }[] = [];
  for (const name of readdirSync(dir)) {
    for (const line of readFileSync(path.join(dir, name), "latin1").split("\n")) {
      const match = /^(\d+\.\d+) (\w+)\((.*)\)\s+= (-?\d+)$/.exec(line);
      if (match === null) continue;
      const [, time, call, args] = match as unknown as [string, string, string, string];
      const at = Number(time);
      if (call === "write" && args.startsWith("1<")) lines.push({ at, text: bytesOf(quoted(args)).toString() });
      const op = opOf(at, call, args);
      if (op !== undefined && path.basename(op.file).startsWith("store.db"))
        ops.push({ ...op, file: path.basename(op.file) });
    }
  }
  const byTime = (left: { at: number }, right: { at: number }) => left.at - right.at;
  return { ops: ops.sort(byTime), lines: lines.sort(byTime) };
}

function opOf(at: number, call: string, args: string): DiskOp | undefined {
  const file = bytesOf(/^\d+<([^>]*)>/.exec(args)?.[1] ?? "").toString();
  switch (call) {
    case "pwrite64":
      return { at, do: "write", file, offset: Number(/(\d+)$/.exec(args)![1]), data: bytesOf(quoted(args)) };
    case "ftruncate":
      return { at, do: "truncate", file, size: Number(/(\d+)$/.exec(args)![1]) };
    case "fsync":
    case "fdatasync":
      return { at, do: "sync", file };
    case "unlink":
      return { at, do: "unlink", file: bytesOf(quoted(args)).toString() };
    default:
      return undefined;
  }
}

function quoted(args: string): string {
  return /"([^"]*)"/.exec(args)?.[1] ?? "";
}

function bytesOf(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll("\\x", ""), "hex");
}
