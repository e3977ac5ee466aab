/**
 * The store as its clients see it: etcd v3's data model (https://etcd.io/docs/v3.6/learning/data_model/).
 * Three implementations pass one suite (`store.suite.ts`): SQLite in process (services/store), and any etcd v3
 * server over gRPC (`etcd-store.ts`), ours or etcd itself.
 *
 * Promises of every implementation: a write resolves only when it is durable; no read, event or progress shows a
 * revision that is not; revisions are dense and never fall. Errors are `StoreError`.
 */
export interface Store {
  range(request: RangeRequest): Promise<RangeResult>;
  /** All or nothing; compare and operations see one snapshot. */
  txn(request: TxnRequest): Promise<TxnResult>;
  /** Forgets history up to and including `revision`, except the newest version of each live key. */
  compact(revision: number): Promise<void>;
  /** Never throws: a refused watch ends with a `cancelled` batch. */
  watch(request: WatchRequest): StoreWatch;
  leaseGrant(request: { ttlSeconds: number; id?: bigint }): Promise<{ id: bigint; ttlSeconds: number }>;
  /** Resolves to the new time to live in seconds; 0 when the lease is gone. */
  leaseKeepAlive(id: bigint): Promise<number>;
  leaseRevoke(id: bigint): Promise<void>;
  status(): Promise<StoreStatus>;
  /** Ends watches on purpose and frees everything. */
  close(): Promise<void>;
}

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** Number of writes since the key was created: 1 for a new key. */
  readonly version: number;
  /** 0n when no lease holds the key. */
  readonly lease: bigint;
}

/** `rangeEnd` absent: one key. `rangeEnd` is exclusive; a single zero byte means "to the end". */
export interface RangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  /** 0 or absent: no limit. */
  readonly limit?: number;
  /** Absent or 0: now. */
  readonly revision?: number;
  readonly sort?: {
    readonly target: "key" | "version" | "create" | "mod" | "value";
    readonly order: "ascend" | "descend";
  };
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
  /** May be answered without asking other members; our own store is always linearizable. */
  readonly serializable?: boolean;
}

export interface RangeResult {
  /** The store's revision when the answer was made (not the revision asked for). */
  readonly revision: number;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  /** Keys in the whole range, whatever the limit. */
  readonly count: number;
}

export type Compare = {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly result: "equal" | "notEqual" | "greater" | "less";
} & (
  | { readonly target: "version" | "create" | "mod"; readonly value: number }
  | { readonly target: "lease"; readonly value: bigint }
  | { readonly target: "value"; readonly value: Uint8Array }
);

export type StoreOp =
  | ({ readonly type: "range" } & RangeRequest)
  | {
      readonly type: "put";
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      readonly lease?: bigint;
      readonly prevKv?: boolean;
      readonly ignoreValue?: boolean;
      readonly ignoreLease?: boolean;
    }
  | { readonly type: "delete"; readonly key: Uint8Array; readonly rangeEnd?: Uint8Array; readonly prevKv?: boolean }
  | ({ readonly type: "txn" } & TxnRequest);

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly StoreOp[];
  readonly failure?: readonly StoreOp[];
}

export type StoreOpResult =
  | ({ readonly type: "range" } & RangeResult)
  | { readonly type: "put"; readonly prevKv?: KeyValue }
  | { readonly type: "delete"; readonly deleted: number; readonly prevKvs: readonly KeyValue[] }
  | ({ readonly type: "txn" } & TxnResult);

export interface TxnResult {
  /** The revision that this transaction made, or the store's when it wrote nothing. */
  readonly revision: number;
  readonly succeeded: boolean;
  readonly responses: readonly StoreOpResult[];
}

export interface WatchRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  /** First revision to deliver; absent or 0: after now. */
  readonly startRevision?: number;
  readonly prevKv?: boolean;
  readonly filters?: readonly ("noput" | "nodelete")[];
  /** Sends a progress batch from time to time while there is nothing else to send. */
  readonly progressNotify?: boolean;
  /** Events that a slow reader may leave unread before the watch is cancelled. Default 100,000. */
  readonly bufferLimit?: number;
}

export interface StoreEvent {
  readonly type: "put" | "delete";
  /** For a delete: key and modRevision only; the value is empty. */
  readonly kv: KeyValue;
  readonly prevKv?: KeyValue;
}

/**
 * `events`: one or more whole transactions, in order. `progress`: everything up to and including `revision` has been
 * delivered. `cancelled`: the last batch; `compactRevision` is set when the start revision was compacted away.
 */
export type StoreWatchBatch =
  | { readonly type: "created"; readonly revision: number }
  | { readonly type: "events"; readonly revision: number; readonly events: readonly StoreEvent[] }
  | { readonly type: "progress"; readonly revision: number }
  | {
      readonly type: "cancelled";
      readonly revision: number;
      readonly compactRevision?: number;
      readonly reason: string;
    };

/** One watch; iterate it once. Its first batch is always `created`. */
export interface StoreWatch extends AsyncIterable<StoreWatchBatch> {
  /** Asks for a progress batch, which comes after every event that it covers. */
  requestProgress(): void;
  /** Ends the iteration and frees the watch. */
  cancel(): void;
}

export interface StoreStatus {
  readonly version: string;
  /** The same of all members; a store that was restored from our snapshots has another (etcd: given another token). */
  readonly clusterId: bigint;
  readonly revision: number;
  readonly compactRevision: number;
  readonly dbSizeBytes: number;
  readonly dbSizeInUseBytes: number;
}

/** Why a store call failed; the gRPC code that etcd answers with, by name. */
export type StoreErrorCode =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "FAILED_PRECONDITION"
  | "OUT_OF_RANGE"
  | "RESOURCE_EXHAUSTED"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNIMPLEMENTED"
  | "UNAUTHENTICATED"
  | "PERMISSION_DENIED"
  | "CANCELLED"
  | "UNKNOWN";

/** `message` is etcd's own text where clients match on it (contracts/etcd-v3.json `errors`). */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}

/** The end of the range of all keys that start with `prefix`; a zero byte ("to the end") when there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  const end = Uint8Array.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i]! < 0xff) {
      end[i]!++;
      return end.subarray(0, i + 1);
    }
  }
  return Uint8Array.of(0);
}
