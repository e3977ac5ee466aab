import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Random } from "../../lib/core/random.ts";
import { makeFolder } from "../../lib/process/make-folder.ts";
import { APPLICATION_ID, DATABASE_FILE, DataDirError, FORMAT_VERSION } from "./engine/database.ts";
import { DIGEST_BYTES } from "./snapshot.ts";

/**
 * Added to the revision: more than any store writes between a backup and its loss, so that no revision is ever handed
 * out twice (what etcdctl does with `--bump-revision 1000000000 --mark-compacted`).
 */
export const REVISION_BUMP = 1_000_000_000;

const CHUNK_BYTES = 1024 * 1024;

/**
 * Makes a data directory from the file of `etcdctl snapshot save`. The directory must not exist or be empty. Keys keep
 * their revisions; the store goes on far above them, everything older counts as compacted, and it has a new epoch:
 * whoever watched the lost store is told to list again.
 */
export async function restoreSnapshot(
  options: { readonly file: string; readonly dataDir: string },
  random: Random,
): Promise<{ readonly revision: number }> {
  const { file, dataDir } = options;
  await assertEmpty(dataDir);
  const made = makeFolder(dataDir, 0o700);
  const target = join(dataDir, `${DATABASE_FILE}.restoring`);
  try {
    await copyChecked(file, target);
    const revision = rewrite(target, file, random);
    await rename(target, join(dataDir, DATABASE_FILE));
    await syncPath(dataDir);
    return { revision };
  } catch (error) {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) await rm(target + suffix, { force: true });
    if (made !== undefined) await rm(made, { recursive: true });
    throw error;
  }
}

async function assertEmpty(dataDir: string): Promise<void> {
  const entries = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (entries.length > 0)
    throw new DataDirError(`${dataDir} is not empty: a snapshot is restored into a new directory`);
}

/** Copies all but the digest, which must be that of the copy. */
async function copyChecked(file: string, target: string): Promise<void> {
  const source = await open(file, "r");
  const copy = await open(target, "wx", 0o600);
  try {
    const { size } = await source.stat();
    if (size % 512 !== DIGEST_BYTES)
      throw new DataDirError(`${file} is not a snapshot: it does not end with a checksum`);
    const bodyBytes = size - DIGEST_BYTES;
    const hash = createHash("sha256");
    for (let at = 0; at < bodyBytes; ) {
      const chunk = await readAt(source, at, Math.min(CHUNK_BYTES, bodyBytes - at));
      hash.update(chunk);
      await copy.write(chunk);
      at += chunk.length;
    }
    const digest = await readAt(source, bodyBytes, DIGEST_BYTES);
    if (!hash.digest().equals(digest)) throw new DataDirError(`${file} is damaged: its checksum does not match`);
    await copy.sync();
  } finally {
    await source.close();
    await copy.close();
  }
}

async function readAt(source: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await source.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new DataDirError("the snapshot changed while it was read");
  return buffer;
}

function rewrite(path: string, file: string, random: Random): number {
  const sqlite = openCopy(path, file);
  try {
    const number = (sql: string) => Number(Object.values(sqlite.prepare(sql).get() ?? { none: 0 })[0]);
    if (number("PRAGMA application_id") !== APPLICATION_ID) {
      throw new DataDirError(`${file} is not a snapshot of this store (a snapshot of etcd is restored into etcd)`);
    }
    const format = number("PRAGMA user_version");
    if (format > FORMAT_VERSION) {
      throw new DataDirError(
        `${file} is from a newer Keelson (format ${format}; this one reads up to ${FORMAT_VERSION})`,
      );
    }
    const check = sqlite.prepare("PRAGMA integrity_check").get()?.["integrity_check"];
    if (check !== "ok") throw new DataDirError(`${file} is damaged: ${String(check)}`);
    const last = number("SELECT ifnull(max(mod), 1) FROM event");
    const compacted = number("SELECT value FROM meta WHERE name = 'compactRevision'");
    const revision = Math.max(last, compacted) + REVISION_BUMP;
    const set = sqlite.prepare("UPDATE meta SET value = ? WHERE name = ?");
    sqlite.exec("BEGIN IMMEDIATE");
    set.run(String(revision), "compactRevision");
    set.run(random.uuid(), "epoch");
    for (const name of ["clusterId", "memberId"]) {
      set.run(String(Buffer.from(random.bytes(8)).readBigUInt64BE() >> 1n), name);
    }
    sqlite.exec("COMMIT");
    return revision;
  } finally {
    sqlite.close();
  }
}

function openCopy(path: string, file: string): DatabaseSync {
  const sqlite = new DatabaseSync(path);
  try {
    // Out of WAL mode, so that the rewritten copy is one complete file.
    sqlite.exec("PRAGMA journal_mode = DELETE");
    sqlite.exec("PRAGMA synchronous = FULL");
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw new DataDirError(`${file} is not a snapshot of this store (a snapshot of etcd is restored into etcd)`, {
      cause: error,
    });
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  await handle.sync().finally(() => handle.close());
}
