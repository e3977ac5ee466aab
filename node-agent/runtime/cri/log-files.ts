import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { LogFile } from "../runtime.ts";

/** A log on this machine's disk. */
export async function openLogFile(path: string): Promise<LogFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch {
    return undefined;
  }
  const { ino } = await handle.stat();
  return {
    sizeBytes: async () => (await handle.stat()).size,
    async read(offset, length) {
      const buffer = Buffer.allocUnsafe(length);
      const { bytesRead } = await handle.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
    async replaced() {
      const now = await stat(path).catch(() => undefined);
      return now !== undefined && now.ino !== ino;
    },
    close: () => handle.close(),
  };
}

/** Moves a log that has grown over `maxBytes` away, then has the runtime open a new one; on failure nothing has moved. */
export async function rotateLogFile(
  path: string,
  limits: { maxBytes: number; maxFiles: number; stamp: string },
  reopen: () => Promise<void>,
): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.size < limits.maxBytes) return;
  const moved = `${path}.${limits.stamp}`;
  await rename(path, moved);
  try {
    await reopen();
  } catch (thrown) {
    await rename(moved, path);
    throw thrown;
  }
  const names = await readdir(dirname(path));
  const rotated = names.filter((name) => name.startsWith(`${basename(path)}.`)).sort();
  for (const name of rotated.slice(0, Math.max(0, rotated.length - (limits.maxFiles - 1))))
    await rm(join(dirname(path), name), { force: true });
}

/** Removes a container's log and what was rotated away from it. */
export async function removeLogFiles(path: string): Promise<void> {
  if (path === "") return;
  const names = await readdir(dirname(path)).catch(() => []);
  for (const name of names) {
    if (name === basename(path) || name.startsWith(`${basename(path)}.`))
      await rm(join(dirname(path), name), { force: true });
  }
}
