import { type KeyValue, type RangeRequest, type RangeResult, StoreError } from "../../lib/store/store.ts";
import type { EngineRange } from "./engine/protocol.ts";

/** Keys read at a time: a few milliseconds of the engine and of the caller's thread. */
const PAGE_KEYS = 500;

/** Whether a range may be too much to be read in one go. Sorting and filters need the whole, and stay in one. */
export function isPageable(request: RangeRequest): boolean {
  if (request.countOnly || request.rangeEnd === undefined || request.rangeEnd.length === 0) return false;
  if (request.limit && request.limit <= PAGE_KEYS) return false;
  if (request.sort !== undefined && (request.sort.target !== "key" || request.sort.order !== "ascend")) return false;
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return !(minModRevision || maxModRevision || minCreateRevision || maxCreateRevision);
}

/** Reads a range page by page at one revision, so that writes and other work go on between pages. */
export async function pagedRange(
  request: RangeRequest,
  ask: (page: EngineRange) => Promise<RangeResult>,
): Promise<RangeResult> {
  for (;;) {
    try {
      return await readPages(request, ask);
    } catch (error) {
      // A compaction overtook a read of "now": there is a newer now.
      const overtaken = error instanceof StoreError && error.message.includes("has been compacted");
      if (!overtaken || request.revision) throw error;
    }
  }
}

async function readPages(
  request: RangeRequest,
  ask: (page: EngineRange) => Promise<RangeResult>,
): Promise<RangeResult> {
  const first = await ask({ ...request, limit: PAGE_KEYS });
  const kvs: KeyValue[] = [...first.kvs];
  const revision = request.revision || first.revision;
  const wanted = request.limit || Number.POSITIVE_INFINITY;
  let more = first.more;
  while (more && kvs.length < wanted) {
    const key = Buffer.concat([kvs.at(-1)!.key, Uint8Array.of(0)]);
    const page = await ask({
      ...request,
      key,
      revision,
      limit: Math.min(PAGE_KEYS, wanted - kvs.length),
      skipCount: true,
    });
    for (const kv of page.kvs) kvs.push(kv);
    more = page.more;
  }
  return { revision: first.revision, kvs, more, count: first.count };
}
