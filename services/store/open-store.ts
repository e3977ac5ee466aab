import type { Random } from "../../lib/core/random.ts";
import type { EngineFailure, EngineOptions, EngineOutput } from "./engine/protocol.ts";
import { type EngineLink, startEngineHere, startEngineThread } from "./engine-link.ts";
import { SqliteStore } from "./sqlite-store.ts";
import { DEFAULT_MIN_FREE_DISK_BYTES, DEFAULT_QUOTA_BYTES, type OpenStoreOptions } from "./store-options.ts";

/** Opens the store; rejects with words for a person when the directory is in use, foreign or of a newer version. */
export async function openStore(options: OpenStoreOptions): Promise<SqliteStore> {
  const engineOptions: EngineOptions = {
    dataDir: options.dataDir,
    identityIfNew: {
      epoch: options.random.uuid(),
      clusterId: randomId(options.random),
      memberId: randomId(options.random),
    },
    quotaBytes: options.quotaBytes ?? DEFAULT_QUOTA_BYTES,
    minFreeDiskBytes: options.minFreeDiskBytes ?? DEFAULT_MIN_FREE_DISK_BYTES,
    failpoint: options.failpoint,
  };
  let store: SqliteStore | undefined;
  const events = {
    output: (output: EngineOutput) => store?.take(output),
    fatal: (failure: EngineFailure) => store?.fail(failure),
  };
  const link: EngineLink =
    options.dataDir === undefined
      ? startEngineHere(engineOptions, events)
      : await startEngineThread(engineOptions, events);
  store = new SqliteStore(link, options);
  return store;
}

function randomId(random: Random): bigint {
  return Buffer.from(random.bytes(8)).readBigUInt64BE() >> 1n;
}
