import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { ended } from "../kit/ended.ts";

const KEELSON = path.resolve(import.meta.dirname, "..", "..", "bin", "keelson");

/** `keelson run store` as a process of its own. */
export interface ServedStore {
  readonly address: string;
  readonly child: ChildProcess;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts it with these flags (and `--listen=127.0.0.1:0`), and waits until it says where it listens. */
export function serveStore(flags: readonly string[]): Promise<ServedStore> {
  const argv = [KEELSON, "run", "store", "--listen=127.0.0.1:0", ...flags];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk;
      const address = /store listens on (\S+)/.exec(output)?.[1];
      if (address !== undefined) resolve({ address, child, stop: (signal = "SIGTERM") => ended(child, signal) });
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("exit", (code) => reject(new Error(`keelson run store ended with ${code}: ${output}`)));
  });
}
