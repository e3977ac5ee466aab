import { chmod, chown, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface VolumeFile {
  readonly data: Uint8Array;
  readonly mode: number;
}

const DATA_LINK = "..data";

/**
 * Puts a set of files under `dir` so that a reader sees the old set or the new one, never a mix: files are links
 * through `..data`, one link that is replaced by rename. Answers whether anything changed. Path names come from users:
 * they must have passed `isSafePath`.
 */
export async function writeAtomically(
  dir: string,
  files: ReadonlyMap<string, VolumeFile>,
  options: { readonly unique: string; readonly groupId?: number },
): Promise<boolean> {
  const before = await readlink(join(dir, DATA_LINK)).catch(() => undefined);
  if (before !== undefined && (await holds(join(dir, before), files))) return false;
  const target = `..${options.unique}`;
  await mkdir(join(dir, target), { mode: 0o755 });
  await chmod(join(dir, target), 0o755);
  for (const [path, file] of files) {
    const full = join(dir, target, path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, file.data, { mode: file.mode });
    await chmod(full, options.groupId === undefined ? file.mode : file.mode | 0o440);
    if (options.groupId !== undefined) await chown(full, 0, options.groupId);
  }
  await rm(join(dir, `${DATA_LINK}_tmp`), { force: true });
  await symlink(target, join(dir, `${DATA_LINK}_tmp`));
  await rename(join(dir, `${DATA_LINK}_tmp`), join(dir, DATA_LINK));
  await linkNames(dir, new Set([...files.keys()].map((path) => path.split("/")[0]!)));
  for (const name of await readdir(dir))
    if (name.startsWith("..") && name !== DATA_LINK && name !== target)
      await rm(join(dir, name), { recursive: true, force: true });
  return true;
}

/** A relative path that stays below its root and does not collide with the writer's own names. */
export function isSafePath(path: string): boolean {
  if (path === "" || path.startsWith("/") || path.includes("\0")) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && !part.startsWith(".."));
}

async function linkNames(dir: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!name.startsWith("..") && !names.has(name)) await rm(join(dir, name), { recursive: true, force: true });
  }
  for (const name of names) {
    const present = await readlink(join(dir, name)).catch(() => undefined);
    if (present === undefined) await symlink(join(DATA_LINK, name), join(dir, name));
  }
}

async function holds(dir: string, files: ReadonlyMap<string, VolumeFile>): Promise<boolean> {
  const present = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  if (present.filter((entry) => entry.isFile()).length !== files.size) return false;
  for (const [path, file] of files) {
    const data = await readFile(join(dir, path)).catch(() => undefined);
    if (data === undefined || !data.equals(file.data)) return false;
  }
  return true;
}
