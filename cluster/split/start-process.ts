import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import path from "node:path";
import { commandEnvironment } from "../../lib/process/command.ts";
import type { ProcessSpec, StartedProcess, StartProcess } from "./supervised-process.ts";

/** A log that is larger when its process starts is put aside as `NAME.log.1`. */
const LOG_BYTES_MAX = 10 * 2 ** 20;

/** Starts processes of this machine that run in `cwd`, each with a log of its own in `logs`. */
export function processStarter(folders: { readonly cwd: string; readonly logs: string }): StartProcess {
  mkdirSync(folders.logs, { recursive: true, mode: 0o700 });
  return (spec) => start(spec, folders);
}

function start(spec: ProcessSpec, folders: { cwd: string; logs: string }): StartedProcess {
  const log = openLog(path.join(folders.logs, `${spec.name}.log`));
  const [program = "", ...args] = spec.argv;
  try {
    const child = spawn(program, args, {
      cwd: folders.cwd,
      env: commandEnvironment(),
      // Not detached: it stays in our session, by which it is found when we are killed.
      stdio: ["ignore", log, log, ...(spec.inheritedFd === undefined ? [] : [spec.inheritedFd])],
    });
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `exit status ${code}`));
    });
    return { pid: child.pid, ended, signal: (name) => void child.kill(name) };
  } finally {
    closeSync(log);
  }
}

function openLog(file: string): number {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o600);
}
