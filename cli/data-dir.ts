import { accessSync, constants, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { makeFolder } from "../lib/process/make-folder.ts";
import { UsageError } from "./command.ts";

/** Raised when a newer Keelson changes the folder's layout in a way that this one cannot read. */
export const DATA_DIR_VERSION = 1;

/** Where one cluster keeps everything. */
export class DataDir {
  readonly path: string;

  constructor(folder: string) {
    this.path = path.resolve(folder);
  }

  /** `--data-dir`, or the machine's folder for root and the user's own for others. */
  static from(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): DataDir {
    if (flag !== undefined) return new DataDir(flag);
    if (process.getuid?.() === 0) return new DataDir("/var/lib/keelson");
    return new DataDir(path.join(env["XDG_DATA_HOME"] ?? path.join(homedir(), ".local", "share"), "keelson"));
  }

  file(...segments: readonly string[]): string {
    return path.join(this.path, ...segments);
  }

  get kubeconfig(): string {
    return this.file("kubeconfig");
  }

  get logFile(): string {
    return this.file("keelson.log");
  }

  /** What the cluster was started with; undefined before its first start. Refuses a folder of a newer version. */
  readRecord<T>(): T | undefined {
    const file = this.file("cluster.json");
    if (!existsSync(file)) return undefined;
    let record: { version?: number };
    try {
      record = JSON.parse(readFileSync(file, "utf8"));
    } catch (error) {
      throw new UsageError(`${file} is damaged; restore it, or remove the cluster with "keelson down --purge"`, {
        cause: error,
      });
    }
    if (record.version !== DATA_DIR_VERSION) {
      const made = record.version ?? "unknown";
      throw new UsageError(
        `${this.path} has data of version ${made}, this Keelson reads version ${DATA_DIR_VERSION}: use the Keelson that made it`,
      );
    }
    return record as T;
  }

  writeRecord(record: object): void {
    this.writeAtomically(
      "cluster.json",
      `${JSON.stringify({ version: DATA_DIR_VERSION, ...record }, null, 2)}\n`,
      0o600,
    );
  }

  writeAtomically(name: string, text: string, mode: number): void {
    const target = this.file(name);
    const draft = `${target}.new`;
    writeFileSync(draft, text, { mode, flush: true });
    renameSync(draft, target);
  }

  /** Fails before anything is changed when the folder cannot be made or written. */
  ensureUsable(): void {
    const existing = nearestExisting(this.path);
    if (!statSync(existing).isDirectory()) throw new UsageError(`--data-dir ${this.path}: ${existing} is not a folder`);
    try {
      accessSync(existing, constants.W_OK);
    } catch (error) {
      throw new UsageError(`--data-dir ${this.path}: ${existing} cannot be written by this user`, { cause: error });
    }
  }

  make(): void {
    try {
      makeFolder(this.file("run"), 0o700);
    } catch (error) {
      throw new UsageError(`--data-dir ${this.path} cannot be made: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** The folder itself, or the closest parent that exists. */
export function nearestExisting(folder: string): string {
  let current = folder;
  while (!existsSync(current)) current = path.dirname(current);
  return current;
}
