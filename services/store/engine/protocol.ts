import type {
  RangeRequest,
  RangeResult,
  StoreErrorCode,
  StoreEvent,
  TxnRequest,
  TxnResult,
} from "../../../lib/store/store.ts";

import type { TextRange } from "./bytes.ts";

/** What the engine can be asked, and what it answers. One entry per verb. */
export interface EngineVerbs {
  range: { request: EngineRange; answer: RangeResult };
  txn: { request: TxnRequest; answer: TxnResult };
  compact: { request: { revision: number; physical: boolean }; answer: undefined };
  leaseGrant: { request: { id: bigint; ttlSeconds: number }; answer: undefined };
  leaseRevoke: { request: { id: bigint }; answer: undefined };
  leaseKeys: { request: { id: bigint }; answer: readonly Uint8Array[] };
  history: { request: HistoryRequest; answer: HistoryAnswer };
  /** From now on published events carry the previous version. */
  keepPrevious: { request: undefined; answer: undefined };
  /** Raises or clears the alarm by hand; a cause that still holds raises it again. */
  setAlarm: { request: { raised: boolean }; answer: undefined };
  snapshot: { request: { path: string }; answer: { revision: number } };
  defragment: { request: undefined; answer: undefined };
  close: { request: undefined; answer: undefined };
}

/** `skipCount`: the count may be anything, which spares looking at what lies behind the limit. */
export type EngineRange = RangeRequest & { readonly skipCount?: boolean };

export type EngineVerb = keyof EngineVerbs;

export type EngineCall = {
  [V in EngineVerb]: { readonly seq: number; readonly verb: V; readonly request: EngineVerbs[V]["request"] };
}[EngineVerb];

export interface HistoryRequest {
  readonly range: TextRange;
  readonly fromRevision: number;
  readonly prevKv: boolean;
}

/** Whole transactions, in order; everything below `nextRevision` has been looked at. */
export interface HistoryAnswer {
  readonly transactions: readonly Transaction[];
  readonly nextRevision: number;
  /** Set when the revision asked for is gone. */
  readonly compactRevision: number | undefined;
}

/** The changes of one revision. */
export interface Transaction {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

export type EngineReply =
  | { readonly seq: number; readonly answer: unknown }
  | { readonly seq: number; readonly error: { readonly code: StoreErrorCode; readonly message: string } };

/** Where the store stands after a commit. */
export interface EngineState {
  readonly revision: number;
  readonly compactRevision: number;
  readonly dbSizeBytes: number;
  readonly dbSizeInUseBytes: number;
  /** The alarm NOSPACE is raised: little room is left, or none. */
  readonly alarm: boolean;
}

/** What one group commit produced: nothing of it left the engine before it was durable. */
export interface EngineOutput {
  readonly replies: readonly EngineReply[];
  readonly transactions: readonly Transaction[];
  readonly state: EngineState;
}

export interface StoredLease {
  readonly id: bigint;
  readonly ttlSeconds: number;
}

/** Made when the store is created; `epoch` also anew when it is restored from a snapshot. */
export interface StoreIdentity {
  readonly epoch: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

/** What the engine found when it opened the data directory. */
export interface EngineOpening {
  readonly identity: StoreIdentity;
  readonly state: EngineState;
  readonly leases: readonly StoredLease[];
}

export interface EngineOptions {
  /** Directory of the database; absent: in memory only. */
  readonly dataDir: string | undefined;
  readonly identityIfNew: StoreIdentity;
  readonly quotaBytes: number;
  /** The alarm is raised when less than this is free on the disk; a twentieth of the disk counts when it is more. */
  readonly minFreeDiskBytes: number;
  /** Name of the point where the process kills itself: crash tests only. */
  readonly failpoint: string | undefined;
}

/** Why the engine has ended. `corrupt`: what is stored is not what was written. */
export interface EngineFailure {
  readonly message: string;
  readonly corrupt: boolean;
}

/** From the worker to its owner. */
export type WorkerMessage =
  | { readonly type: "opened"; readonly opening: EngineOpening }
  | { readonly type: "refused"; readonly message: string }
  | { readonly type: "output"; readonly output: EngineOutput }
  | { readonly type: "fatal"; readonly failure: EngineFailure };
