import type { StoreEvent } from "../../../lib/store/store.ts";
import { inRange, keyText } from "./bytes.ts";
import type { EventRow, StoredRow } from "./database.ts";
import type { HistoryAnswer, HistoryRequest, Transaction } from "./protocol.ts";
import { rowKeyValue, type State, tombstone } from "./state.ts";

/** Bounds of one history answer: the writer waits while it is read. */
const EVENT_LIMIT = 500;
const ROW_LIMIT = 5_000;
const BYTE_LIMIT = 4 * 1024 * 1024;

/**
 * The last row of `revision` or below; 0 when there is none. Ids rise with revisions, so this is a binary search and
 * needs no index of its own.
 */
export function idAtRevision(state: State, revision: number): number {
  const next = state.db.statement("SELECT id, mod FROM event WHERE id >= ? ORDER BY id LIMIT 1");
  let low = 0;
  let high = state.lastId;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const row = next.get(middle) as { id: number; mod: number } | undefined;
    if (row !== undefined && row.mod <= revision) low = row.id;
    else high = middle - 1;
  }
  return low;
}

/** Events of a key range from a revision on, whole transactions only, as many as one answer may hold. */
export function history(state: State, request: HistoryRequest): HistoryAnswer {
  if (request.fromRevision < state.compactRevision) {
    return { transactions: [], nextRevision: request.fromRevision, compactRevision: state.compactRevision };
  }
  const rows = state.db.statement("SELECT * FROM event WHERE id > ? ORDER BY id");
  const transactions: Transaction[] = [];
  let events: StoreEvent[] = [];
  let revision = request.fromRevision;
  let rowCount = 0;
  let eventCount = 0;
  let byteCount = 0;
  const finish = () => {
    if (events.length > 0) transactions.push({ revision, events });
    events = [];
  };
  for (const row of rows.iterate(idAtRevision(state, request.fromRevision - 1)) as unknown as Iterable<StoredRow>) {
    if (row.mod !== revision) {
      finish();
      revision = row.mod;
      if (eventCount >= EVENT_LIMIT || rowCount >= ROW_LIMIT || byteCount >= BYTE_LIMIT) {
        return { transactions, nextRevision: revision, compactRevision: undefined };
      }
    }
    rowCount++;
    if (!inRange(keyText(row.key), request.range)) continue;
    const event = toEvent(state, state.db.checked(row), request.prevKv);
    events.push(event);
    eventCount++;
    byteCount += event.kv.key.length + event.kv.value.length + (event.prevKv?.value.length ?? 0);
  }
  finish();
  return { transactions, nextRevision: state.revision + 1, compactRevision: undefined };
}

function toEvent(state: State, row: EventRow, withPrevious: boolean): StoreEvent {
  const previous = withPrevious ? previousRow(state, row) : undefined;
  return {
    type: row.version === 0 ? "delete" : "put",
    kv: row.version === 0 ? tombstone(row.key, row.mod) : rowKeyValue(row),
    ...(previous === undefined ? {} : { prevKv: rowKeyValue(previous) }),
  };
}

function previousRow(state: State, row: EventRow): EventRow | undefined {
  const found = state.db
    .statement("SELECT * FROM event WHERE key = ? AND id < ? ORDER BY id DESC LIMIT 1")
    .get(row.key, row.id) as unknown as StoredRow | undefined;
  return found === undefined || found.version === 0 ? undefined : state.db.checked(found);
}
