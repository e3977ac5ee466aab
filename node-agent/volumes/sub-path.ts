import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readlink } from "node:fs/promises";

/** An fd that names a place and nothing more; missing from Node's constants. */
const O_PATH = 0o10000000;
const LINKS_LIMIT = 40;

/**
 * Opens `subPath` below `root` without ever leaving it, whatever links a container puts in the way, now or while this
 * runs: every part is opened from the one before, never by its full name (CVE-2017-1002101, CVE-2021-25741). Missing
 * parts become folders.
 */
export async function openBelow(root: string, subPath: string): Promise<FileHandle> {
  const opened: FileHandle[] = [await open(root, O_PATH | constants.O_DIRECTORY)];
  const pending = partsOf(subPath);
  let links = 0;
  try {
    for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
      if (part === "..") {
        if (opened.length === 1) throw new Error(`the path ${subPath} leaves its volume`);
        await opened.pop()?.close();
        continue;
      }
      const path = `/proc/self/fd/${opened.at(-1)!.fd}/${part}`;
      if (await isLink(path)) {
        const target = await readlink(path);
        if (++links > LINKS_LIMIT || target.startsWith("/")) throw new Error(`the path ${subPath} leaves its volume`);
        pending.unshift(...partsOf(target));
        continue;
      }
      const handle = await open(path, O_PATH | constants.O_NOFOLLOW);
      opened.push(handle);
      if ((await handle.stat()).isSymbolicLink()) throw new Error(`the path ${subPath} changes while it is opened`);
    }
    return opened.pop()!;
  } finally {
    for (const handle of opened) await handle.close();
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
    await mkdir(path, { mode: 0o755 });
    return false;
  }
}
