import type { Compare, RangeRequest, StoreOp, TxnRequest } from "../../../lib/store/store.ts";
import {
  duplicateKey,
  emptyKey,
  invalidSort,
  leaseProvided,
  requestTooLarge,
  tooManyOps,
  valueProvided,
} from "../store-errors.ts";
import { isSingleKey, keyText, type TextRange, textRange } from "./bytes.ts";

/** etcd's default `--max-txn-ops`, counted along the nesting. */
export const MAX_TXN_OPS = 128;
/** etcd's default `--max-request-bytes`. */
export const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;

const SORT_TARGETS = new Set(["key", "version", "create", "mod", "value"]);

/** Throws the error that etcd gives before it looks at any data. */
export function checkRange(request: RangeRequest): void {
  if (request.key.length === 0) throw emptyKey();
  const sort = request.sort;
  if (sort === undefined) return;
  if (!SORT_TARGETS.has(sort.target) || (sort.order !== "ascend" && sort.order !== "descend")) throw invalidSort();
}

/** As `checkRange`, for a transaction with everything nested in it. */
export function checkTxn(request: TxnRequest): void {
  checkShape(request, MAX_TXN_OPS);
  if (txnBytes(request) > MAX_REQUEST_BYTES) throw requestTooLarge();
  const { success, failure = [] } = request;
  if (success.length > 1 || success[0]?.type === "txn") writesOf(success);
  if (failure.length > 1 || failure[0]?.type === "txn") writesOf(failure);
}

function checkShape(request: TxnRequest, opsLeft: number): void {
  const { compare, success, failure = [] } = request;
  const ops = Math.max(compare.length, success.length, failure.length);
  if (ops > opsLeft) throw tooManyOps();
  for (const condition of compare) if (condition.key.length === 0) throw emptyKey();
  for (const op of success) checkOp(op, opsLeft - ops);
  for (const op of failure) checkOp(op, opsLeft - ops);
}

function checkOp(op: StoreOp, opsLeft: number): void {
  if (op.type === "txn") {
    checkShape(op, opsLeft);
    return;
  }
  if (op.type === "range") {
    checkRange(op);
    return;
  }
  if (op.key.length === 0) throw emptyKey();
  if (op.type === "put") {
    if (op.ignoreValue && op.value.length > 0) throw valueProvided();
    if (op.ignoreLease && op.lease !== undefined && op.lease !== 0n) throw leaseProvided();
  }
}

interface Writes {
  readonly puts: Set<string>;
  readonly deletes: TextRange[];
}

/**
 * What a branch may write. A key put twice, or put and deleted, is refused; the two branches of a nested
 * transaction may repeat each other, since only one of them runs.
 */
function writesOf(ops: readonly StoreOp[]): Writes {
  const all: Writes = { puts: new Set(), deletes: [] };
  for (const op of ops) {
    const own = writesOfOp(op);
    for (const key of own.puts) {
      if (all.puts.has(key) || all.deletes.some((range) => covers(range, key))) throw duplicateKey();
    }
    for (const range of own.deletes) {
      for (const key of all.puts) if (covers(range, key)) throw duplicateKey();
    }
    for (const key of own.puts) all.puts.add(key);
    all.deletes.push(...own.deletes);
  }
  return all;
}

function writesOfOp(op: StoreOp): Writes {
  if (op.type === "put") return { puts: new Set([keyText(op.key)]), deletes: [] };
  if (op.type === "delete") return { puts: new Set(), deletes: [textRange(op.key, op.rangeEnd)] };
  if (op.type === "range") return { puts: new Set(), deletes: [] };
  const success = writesOf(op.success);
  const failure = writesOf(op.failure ?? []);
  return {
    puts: new Set([...success.puts, ...failure.puts]),
    deletes: [...success.deletes, ...failure.deletes],
  };
}

function covers(range: TextRange, key: string): boolean {
  return key >= range.from && (range.to === undefined || key < range.to);
}

/** Size on the wire within a few bytes per operation. */
function txnBytes(request: TxnRequest): number {
  let total = 0;
  for (const condition of request.compare) total += compareBytes(condition);
  for (const op of request.success) total += opBytes(op);
  for (const op of request.failure ?? []) total += opBytes(op);
  return total;
}

function compareBytes(compare: Compare): number {
  const value = compare.target === "value" ? compare.value.length : 8;
  return compare.key.length + (compare.rangeEnd?.length ?? 0) + value + 8;
}

function opBytes(op: StoreOp): number {
  if (op.type === "txn") return txnBytes(op) + 8;
  if (op.type === "put") return op.key.length + op.value.length + 8;
  return op.key.length + (isSingleKey(op.rangeEnd) ? 0 : op.rangeEnd!.length) + 8;
}
