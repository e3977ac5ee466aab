import type {
  Compare,
  KeyValue,
  StoreEvent,
  StoreOp,
  StoreOpResult,
  TxnRequest,
  TxnResult,
} from "../../../lib/store/store.ts";
import { keyNotFound, leaseNotFound, noSpace } from "../store-errors.ts";
import { isSingleKey, keyText, textRange } from "./bytes.ts";
import type { IndexEntry } from "./key-index.ts";
import { checkRevision, range } from "./ranges.ts";
import type { State } from "./state.ts";

type PutOp = Extract<StoreOp, { type: "put" }>;
type DeleteOp = Extract<StoreOp, { type: "delete" }>;

export interface ApplyOptions {
  /** The store may not grow: puts are refused. */
  readonly full: boolean;
  /** Events carry the previous version. */
  readonly keepPrevious: boolean;
}

/** Which branch was taken, with the plans of nested transactions at their places. */
interface Plan {
  readonly succeeded: boolean;
  readonly steps: readonly { readonly op: StoreOp; readonly nested: Plan | undefined }[];
}

/**
 * Evaluates one transaction and applies it. Conditions, nested ones too, are decided and every reason to refuse is
 * looked for before the first write, so that nothing has to be undone when it is refused.
 */
export class TransactionRun {
  readonly #state: State;
  readonly #options: ApplyOptions;
  readonly #revision: number;
  readonly events: StoreEvent[] = [];

  constructor(state: State, options: ApplyOptions) {
    this.#state = state;
    this.#options = options;
    this.#revision = state.revision + 1;
  }

  run(request: TxnRequest): TxnResult {
    const plan = this.#plan(request);
    // In etcd's order, which decides between several reasons to refuse.
    for (const op of opsOf(plan)) if (op.type === "put") this.#checkPut(op);
    for (const op of opsOf(plan)) {
      if (op.type === "range") checkRevision(this.#state, op.revision, this.#state.revision);
    }
    const result = this.#apply(plan);
    if (this.events.length > 0) this.#state.setRevision(this.#revision);
    return result;
  }

  /** Deletes keys as one transaction of its own: what the end of a lease does. */
  deleteKeys(keys: readonly string[]): void {
    for (const key of keys) this.#deleteEntry(this.#state.index.get(key)!);
    if (this.events.length > 0) this.#state.setRevision(this.#revision);
  }

  #plan(request: TxnRequest): Plan {
    const succeeded = request.compare.every((condition) => holds(this.#state, condition));
    const branch = succeeded ? request.success : (request.failure ?? []);
    return { succeeded, steps: branch.map((op) => ({ op, nested: op.type === "txn" ? this.#plan(op) : undefined })) };
  }

  #checkPut(op: PutOp): void {
    if (this.#options.full) throw noSpace();
    if ((op.ignoreValue || op.ignoreLease) && this.#state.index.get(keyText(op.key)) === undefined) throw keyNotFound();
    if (op.lease !== undefined && op.lease !== 0n && !this.#state.leases.has(op.lease)) throw leaseNotFound();
  }

  #apply(plan: Plan): TxnResult {
    const responses = plan.steps.map(({ op, nested }) => this.#applyOp(op, nested));
    return { revision: this.#current(), succeeded: plan.succeeded, responses };
  }

  #applyOp(op: StoreOp, nested: Plan | undefined): StoreOpResult {
    switch (op.type) {
      case "range":
        return { type: "range", ...range(this.#state, op, this.#current()) };
      case "put":
        return this.#put(op);
      case "delete":
        return this.#delete(op);
      case "txn":
        return { type: "txn", ...this.#apply(nested!) };
    }
  }

  #current(): number {
    return this.events.length > 0 ? this.#revision : this.#state.revision;
  }

  #put(op: PutOp): StoreOpResult {
    const text = keyText(op.key);
    const before = this.#state.index.get(text);
    const previous = before && (op.prevKv || this.#options.keepPrevious) ? this.#state.read(before) : undefined;
    const value = op.ignoreValue ? this.#state.read(before!).value : op.value;
    const lease = op.ignoreLease ? before!.lease : (op.lease ?? 0n);
    const event = this.#state.put(op.key, text, value, lease, this.#revision);
    this.#publish(event, previous);
    return { type: "put", ...(op.prevKv && previous !== undefined ? { prevKv: previous } : {}) };
  }

  #delete(op: DeleteOp): StoreOpResult {
    const entries = entriesOf(this.#state, op.key, op.rangeEnd);
    const prevKvs: KeyValue[] = [];
    for (const entry of entries) {
      if (op.prevKv) prevKvs.push(this.#state.read(entry));
      this.#deleteEntry(entry);
    }
    return { type: "delete", deleted: entries.length, prevKvs };
  }

  #deleteEntry(entry: IndexEntry): void {
    const previous = this.#options.keepPrevious ? this.#state.read(entry) : undefined;
    this.#publish(this.#state.delete(entry, this.#revision), previous);
  }

  #publish(event: StoreEvent, previous: KeyValue | undefined): void {
    this.events.push(previous && this.#options.keepPrevious ? { ...event, prevKv: previous } : event);
  }
}

/** What will be applied, nested included, in order. */
function* opsOf(plan: Plan): Generator<StoreOp> {
  for (const { op, nested } of plan.steps) {
    if (nested === undefined) yield op;
    else yield* opsOf(nested);
  }
}

function entriesOf(state: State, key: Uint8Array, rangeEnd: Uint8Array | undefined): IndexEntry[] {
  if (isSingleKey(rangeEnd)) {
    const entry = state.index.get(keyText(key));
    return entry === undefined ? [] : [entry];
  }
  const { from, to } = textRange(key, rangeEnd);
  return [...state.index.range(from, to)];
}

const ABSENT = { createRevision: 0, modRevision: 0, version: 0, lease: 0n };

/** A condition on a range must hold for each key in it; on nothing it compares with zero, values never hold. */
function holds(state: State, condition: Compare): boolean {
  const entries = entriesOf(state, condition.key, condition.rangeEnd);
  if (entries.length === 0) {
    return (
      condition.target !== "value" && matches(numberOf(ABSENT, condition.target), condition.value, condition.result)
    );
  }
  return entries.every((entry) => {
    if (condition.target === "value") {
      return matches(Buffer.compare(state.read(entry).value, condition.value), 0, condition.result);
    }
    return matches(numberOf(entry, condition.target), condition.value, condition.result);
  });
}

function numberOf(entry: typeof ABSENT, target: Exclude<Compare["target"], "value">): number | bigint {
  switch (target) {
    case "version":
      return entry.version;
    case "create":
      return entry.createRevision;
    case "mod":
      return entry.modRevision;
    case "lease":
      return entry.lease;
  }
}

function matches(left: number | bigint, right: number | bigint, result: Compare["result"]): boolean {
  switch (result) {
    case "equal":
      return left === right;
    case "notEqual":
      return left !== right;
    case "greater":
      return left > right;
    case "less":
      return left < right;
  }
}
