import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";

export const DIGEST_BYTES = 32;

/** A copy of the store on disk, to be streamed and then thrown away. */
export interface Snapshot {
  /** The copy holds at least everything up to this revision. */
  readonly revision: number;
  /** Size of all chunks together. */
  readonly sizeBytes: number;
  /** The SQLite file and, as `etcdctl snapshot save` wants it, its SHA-256 at the end. */
  chunks(): AsyncIterable<Buffer>;
  dispose(): Promise<void>;
}

export async function snapshotOf(path: string, revision: number): Promise<Snapshot> {
  const { size } = await stat(path);
  return {
    revision,
    sizeBytes: size + DIGEST_BYTES,
    async *chunks() {
      const hash = createHash("sha256");
      for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        yield chunk;
      }
      yield hash.digest();
    },
    dispose: () => rm(path, { force: true }),
  };
}
