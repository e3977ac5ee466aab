import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { openStore } from "../open-store.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import type { OpenStoreOptions } from "../store-options.ts";

/** A store in memory, or on disk with `dataDir`, whose failure fails the test. */
export function openTestStore(options: Partial<OpenStoreOptions> = {}): Promise<SqliteStore> {
  return openStore({
    clock: new VirtualClock(),
    random: new SeededRandom(1),
    log: silentLog,
    onFatal: (reason) => {
      throw new Error(reason);
    },
    ...options,
  });
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Every key. */
export const EVERYTHING = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

export function put(store: SqliteStore, key: string, value: string, lease = 0n): Promise<{ revision: number }> {
  return store.txn({ compare: [], success: [{ type: "put", key: bytes(key), value: bytes(value), lease }] });
}

export function remove(store: SqliteStore, key: string): Promise<{ revision: number }> {
  return store.txn({ compare: [], success: [{ type: "delete", key: bytes(key) }] });
}
