import { crc32 } from "node:zlib";
import type { KeyValue, Store } from "../../lib/store/store.ts";

const PAGE_KEYS = 500;

/**
 * CRC-32 of every live key at a revision (0: now), in key order, with value, revisions, version and lease. It depends
 * on nothing else, so it is equal over restart, compaction, backup and restore, and on any implementation.
 */
export async function stateHash(
  store: Pick<Store, "range">,
  atRevision: number,
): Promise<{ hash: number; revision: number }> {
  let revision = atRevision;
  let hash = 0;
  let key: Uint8Array = Uint8Array.of(0);
  for (;;) {
    const page = await store.range({ key, rangeEnd: Uint8Array.of(0), limit: PAGE_KEYS, revision });
    if (revision === 0) revision = page.revision;
    for (const kv of page.kvs) hash = addKeyValue(hash, kv);
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { hash, revision };
    key = Buffer.concat([last.key, Uint8Array.of(0)]);
  }
}

function addKeyValue(hash: number, kv: KeyValue): number {
  const numbers = [kv.key.length, kv.modRevision, kv.createRevision, kv.version, kv.value.length].map(BigInt);
  const head = BigInt64Array.of(...numbers, kv.lease);
  return crc32(kv.value, crc32(kv.key, crc32(new Uint8Array(head.buffer), hash)));
}
