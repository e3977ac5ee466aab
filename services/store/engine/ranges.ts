import type { KeyValue, RangeRequest, RangeResult } from "../../../lib/store/store.ts";
import { compacted, futureRevision } from "../store-errors.ts";
import { isSingleKey, keyBytes, keyText, textRange } from "./bytes.ts";
import { idAtRevision } from "./history.ts";
import type { EngineRange } from "./protocol.ts";
import { rowKeyValue, type State } from "./state.ts";

type Sort = NonNullable<RangeRequest["sort"]>;

/** Refuses a revision that is gone or has not come yet; `current` is the newest that the caller may see. */
export function checkRevision(state: State, revision: number | undefined, current: number): void {
  if (revision === undefined || revision <= 0) return;
  if (revision > current) throw futureRevision();
  if (revision < state.compactRevision) throw compacted();
}

/** Answers a range; `current` is the revision of the view that is read. */
export function range(state: State, request: EngineRange, current: number): RangeResult {
  checkRevision(state, request.revision, current);
  const { limit = 0, sort } = request;
  const asked = request.revision ?? 0;
  const filtered = hasRevisionFilter(request);
  const sorted = sort !== undefined && !(sort.target === "key" && sort.order === "ascend");
  // Filters and sorting need the whole range before the limit cuts it.
  const readLimit = request.countOnly ? 0 : filtered || sorted || limit <= 0 ? Number.POSITIVE_INFINITY : limit;
  // Sorting by value needs the values even when they are not returned.
  const keysOnly = (request.keysOnly ?? false) && sort?.target !== "value";
  const read =
    asked <= 0 || asked >= current
      ? readNow(state, request, readLimit, keysOnly)
      : readAt(state, request, asked, readLimit, keysOnly);
  let kvs = read.kvs;
  if (filtered) kvs = kvs.filter((kv) => passes(kv, request));
  if (sorted) kvs.sort((left, right) => order(left, right, sort));
  const cut = limit > 0 && kvs.length > limit;
  if (cut) kvs.length = limit;
  const more = !request.countOnly && (cut || (readLimit !== Number.POSITIVE_INFINITY && read.count > kvs.length));
  if (request.keysOnly && !keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: new Uint8Array(0) }));
  return { revision: current, kvs, more, count: read.count };
}

interface Read {
  readonly kvs: KeyValue[];
  readonly count: number;
}

function readNow(state: State, request: EngineRange, limit: number, keysOnly: boolean): Read {
  if (isSingleKey(request.rangeEnd)) {
    const entry = state.index.get(keyText(request.key));
    if (entry === undefined) return { kvs: [], count: 0 };
    return { kvs: limit === 0 ? [] : [state.read(entry, keysOnly)], count: 1 };
  }
  const { from, to } = textRange(request.key, request.rangeEnd);
  const kvs: KeyValue[] = [];
  if (limit > 0) {
    for (const entry of state.index.range(from, to)) {
      kvs.push(state.read(entry, keysOnly));
      if (kvs.length === limit) break;
    }
  }
  return { kvs, count: limit === Number.POSITIVE_INFINITY ? kvs.length : state.index.count(from, to) };
}

function readAt(state: State, request: EngineRange, revision: number, limit: number, keysOnly: boolean): Read {
  const { from, to } = textRange(request.key, request.rangeEnd);
  const lastId = idAtRevision(state, revision);
  const upper = to === undefined ? "" : "AND key < :to";
  const newest = state.db.statement(
    `SELECT max(id) AS id, version FROM event WHERE key >= :from ${upper} AND id <= :lastId GROUP BY key ORDER BY key`,
  );
  const parameters = { from: keyBytes(from), lastId, ...(to === undefined ? {} : { to: keyBytes(to) }) };
  const kvs: KeyValue[] = [];
  let count = 0;
  for (const row of newest.iterate(parameters) as Iterable<{ id: number; version: number }>) {
    if (row.version === 0) continue;
    count++;
    if (kvs.length < limit) kvs.push(rowKeyValue(state.db.row(row.id), keysOnly));
    else if (request.skipCount) break;
  }
  return { kvs, count };
}

function hasRevisionFilter(request: RangeRequest): boolean {
  return Boolean(
    request.minModRevision || request.maxModRevision || request.minCreateRevision || request.maxCreateRevision,
  );
}

function passes(kv: KeyValue, request: RangeRequest): boolean {
  const { minModRevision = 0, maxModRevision = 0, minCreateRevision = 0, maxCreateRevision = 0 } = request;
  if (minModRevision !== 0 && kv.modRevision < minModRevision) return false;
  if (maxModRevision !== 0 && kv.modRevision > maxModRevision) return false;
  if (minCreateRevision !== 0 && kv.createRevision < minCreateRevision) return false;
  return !(maxCreateRevision !== 0 && kv.createRevision > maxCreateRevision);
}

function order(left: KeyValue, right: KeyValue, sort: Sort): number {
  const result = ascending(left, right, sort.target);
  return sort.order === "descend" ? -result : result;
}

function ascending(left: KeyValue, right: KeyValue, target: Sort["target"]): number {
  switch (target) {
    case "key":
      return Buffer.compare(left.key, right.key);
    case "value":
      return Buffer.compare(left.value, right.value);
    case "version":
      return left.version - right.version;
    case "create":
      return left.createRevision - right.createRevision;
    case "mod":
      return left.modRevision - right.modRevision;
  }
}
