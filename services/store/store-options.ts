import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";

export interface OpenStoreOptions {
  /** Directory of the database, made when it does not exist; absent: in memory only, on this thread. */
  readonly dataDir?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called once when a commit failed and nobody knows whether it happened: end the process with a code other than 0. */
  readonly onFatal: (reason: string) => void;
  /** Bytes in use from which puts are refused; the alarm comes at 90 %. Default 8 GiB. */
  readonly quotaBytes?: number;
  /** Free disk space below which the alarm is raised (at least a twentieth of the disk). Default 1 GiB; 0: never. */
  readonly minFreeDiskBytes?: number;
  /** Compacts by itself; absent: never. */
  readonly autoCompaction?: AutoCompactionOptions;
  /** Time between progress batches of watches that want them. Default 10 s. */
  readonly progressIntervalMs?: number;
  /** Point where the process kills itself (`NAME` or `NAME:N`): crash tests only. */
  readonly failpoint?: string;
}

/** `periodic`: forgets what is older than `retentionMs`; `revision`: keeps the last `retentionRevisions`. */
export type AutoCompactionOptions =
  | { readonly mode: "periodic"; readonly retentionMs: number }
  | { readonly mode: "revision"; readonly retentionRevisions: number };

export const DEFAULT_QUOTA_BYTES = 8 * 1024 ** 3;
export const DEFAULT_MIN_FREE_DISK_BYTES = 1024 ** 3;
