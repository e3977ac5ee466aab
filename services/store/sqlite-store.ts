import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Timer } from "../../lib/core/clock.ts";
import {
  type RangeRequest,
  type RangeResult,
  type Store,
  StoreError,
  type StoreStatus,
  type StoreWatch,
  type TxnRequest,
  type TxnResult,
  type WatchRequest,
} from "../../lib/store/store.ts";
import { AutoCompactor } from "./auto-compactor.ts";
import type {
  EngineCall,
  EngineFailure,
  EngineOutput,
  EngineRange,
  EngineState,
  EngineVerb,
  EngineVerbs,
  StoreIdentity,
} from "./engine/protocol.ts";
import { checkRange, checkTxn } from "./engine/request-check.ts";
import type { EngineLink } from "./engine-link.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { isPageable, pagedRange } from "./paged-range.ts";
import { type Snapshot, snapshotOf } from "./snapshot.ts";
import { dataLoss, leaseNotFound, leaseTtlTooLarge, stopped } from "./store-errors.ts";
import { DEFAULT_QUOTA_BYTES, type OpenStoreOptions } from "./store-options.ts";
import { WatchHub } from "./watch-hub.ts";

/** The version whose API this is, as etcd's clients want to know it. */
const API_VERSION = "3.6.0";
/** etcd's limit of a lease, in seconds. */
const MAX_LEASE_TTL_SECONDS = 9_000_000_000;
const DEFAULT_PROGRESS_INTERVAL_MS = 10_000;

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: StoreError) => void;
}

/**
 * The embedded store, on the side of its callers: gathers the calls of a turn of the event loop into one message to
 * the engine, gives each its answer, spreads what was committed to watches, and keeps the time of leases.
 */
export class SqliteStore implements Store {
  readonly #link: EngineLink;
  readonly #options: OpenStoreOptions;
  readonly #hub: WatchHub;
  readonly #leases: LeaseKeeper;
  readonly #pending = new Map<number, Pending>();
  #outbox: EngineCall[] = [];
  #lastSeq = 0;
  #state: EngineState;
  #phase: "open" | "closing" | "failed" = "open";
  #progressTimer: Timer | undefined;
  readonly #compactor: AutoCompactor | undefined;

  constructor(link: EngineLink, options: OpenStoreOptions) {
    this.#link = link;
    this.#options = options;
    this.#state = link.opening.state;
    this.#hub = new WatchHub(
      {
        history: (request) => this.#call("history", request),
        keepPrevious: () => this.#call("keepPrevious", undefined),
      },
      this.#state.revision,
      this.#state.compactRevision,
    );
    this.#leases = new LeaseKeeper(options.clock, { expired: (id) => this.#expire(id) });
    for (const lease of link.opening.leases) this.#leases.add(lease.id, lease.ttlSeconds);
    this.#armProgress();
    if (options.autoCompaction !== undefined) {
      this.#compactor = new AutoCompactor(
        { store: this, clock: options.clock, log: options.log },
        options.autoCompaction,
      );
      this.#compactor.start();
    }
  }

  /** Its epoch differs between stores, and between a store and what was restored from its snapshot. */
  get identity(): StoreIdentity {
    return this.#link.opening.identity;
  }

  get version(): string {
    return API_VERSION;
  }

  get quotaBytes(): number {
    return this.#options.quotaBytes ?? DEFAULT_QUOTA_BYTES;
  }

  /** The alarm NOSPACE: room is short, or there is none. */
  get alarm(): boolean {
    return this.#state.alarm;
  }

  /** Watches that are open. */
  get watcherCount(): number {
    return this.#hub.watcherCount;
  }

  /** The newest durable revision. */
  get revision(): number {
    return this.#state.revision;
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    checkRange(request);
    const ask = (page: EngineRange) => this.#call("range", page);
    return isPageable(request) ? pagedRange(request, ask) : ask(request);
  }

  async txn(request: TxnRequest): Promise<TxnResult> {
    checkTxn(request);
    return this.#call("txn", request);
  }

  async compact(revision: number, physical = false): Promise<void> {
    await this.#call("compact", { revision, physical });
  }

  watch(request: WatchRequest): StoreWatch {
    return this.#hub.watch(request);
  }

  async leaseGrant(request: { ttlSeconds: number; id?: bigint }): Promise<{ id: bigint; ttlSeconds: number }> {
    if (request.ttlSeconds > MAX_LEASE_TTL_SECONDS) throw leaseTtlTooLarge();
    const ttlSeconds = Math.max(1, Math.ceil(request.ttlSeconds));
    const id = request.id || BigInt.asUintN(63, Buffer.from(this.#options.random.bytes(8)).readBigUInt64BE()) || 1n;
    await this.#call("leaseGrant", { id, ttlSeconds });
    this.#leases.add(id, ttlSeconds);
    return { id, ttlSeconds };
  }

  async leaseKeepAlive(id: bigint): Promise<number> {
    this.#assertOpen();
    return this.#leases.keepAlive(id);
  }

  async leaseRevoke(id: bigint): Promise<void> {
    await this.#call("leaseRevoke", { id });
    this.#leases.remove(id);
  }

  /** Ids of all leases. */
  async leaseList(): Promise<readonly bigint[]> {
    this.#assertOpen();
    return this.#leases.ids();
  }

  /** Time that a lease has left and was granted, with the keys it holds when `keys` is set. */
  async leaseTimeToLive(id: bigint, keys: boolean): Promise<LeaseTimeToLive> {
    const held = keys ? await this.#call("leaseKeys", { id }) : [];
    const time = this.#leases.timeToLive(id);
    if (time === undefined) throw leaseNotFound();
    return { ...time, keys: held };
  }

  /** Raises the alarm by hand, which refuses puts, or clears it as far as its cause is gone. */
  async setAlarm(raised: boolean): Promise<void> {
    await this.#call("setAlarm", { raised });
  }

  /** Gives free space in the file back to the disk; the store stands still meanwhile. */
  async defragment(): Promise<void> {
    await this.#call("defragment", undefined);
  }

  /** A consistent copy, made while the store works on. */
  async snapshot(): Promise<Snapshot> {
    const name = `snapshot-${this.#options.random.suffix(8)}.tmp`;
    const path = join(this.#options.dataDir ?? tmpdir(), name);
    const { revision } = await this.#call("snapshot", { path });
    return snapshotOf(path, revision);
  }

  async status(): Promise<StoreStatus> {
    this.#assertOpen();
    const { revision, compactRevision, dbSizeBytes, dbSizeInUseBytes } = this.#state;
    const { clusterId } = this.identity;
    return { version: API_VERSION, clusterId, revision, compactRevision, dbSizeBytes, dbSizeInUseBytes };
  }

  async close(): Promise<void> {
    if (this.#phase !== "open") return;
    const closed = this.#call("close", undefined);
    this.#phase = "closing";
    this.#stopTimers();
    this.#hub.close();
    await closed;
    await this.#link.ended();
  }

  /** What a commit gave: watches first, so that who reads an answer finds its events already on their way. */
  take(output: EngineOutput): void {
    if (this.#phase === "failed") return;
    this.#state = output.state;
    this.#hub.publish(output.transactions, output.state.revision, output.state.compactRevision);
    for (const reply of output.replies) {
      const pending = this.#pending.get(reply.seq);
      if (pending === undefined) continue;
      this.#pending.delete(reply.seq);
      if ("error" in reply) pending.reject(new StoreError(reply.error.code, reply.error.message));
      else pending.resolve(reply.answer);
    }
  }

  /** The engine is gone (invariant 8): whoever waits is told that the outcome is unknown, and the owner ends. */
  fail({ message, corrupt }: EngineFailure): void {
    if (this.#phase === "failed") return;
    this.#phase = "failed";
    this.#options.log.error("The store failed and stops", { reason: message });
    this.#stopTimers();
    for (const pending of this.#pending.values()) pending.reject(corrupt ? dataLoss() : stopped());
    this.#pending.clear();
    this.#hub.close();
    this.#options.onFatal(message);
  }

  #call<V extends EngineVerb>(verb: V, request: EngineVerbs[V]["request"]): Promise<EngineVerbs[V]["answer"]> {
    return new Promise((resolve, reject) => {
      if (this.#phase !== "open") {
        reject(stopped());
        return;
      }
      const seq = ++this.#lastSeq;
      this.#pending.set(seq, { resolve: resolve as Pending["resolve"], reject });
      if (this.#outbox.length === 0) setImmediate(() => this.#flush());
      this.#outbox.push({ seq, verb, request } as EngineCall);
    });
  }

  #flush(): void {
    const calls = this.#outbox;
    this.#outbox = [];
    this.#link.send(calls);
  }

  #assertOpen(): void {
    if (this.#phase !== "open") throw stopped();
  }

  #expire(id: bigint): void {
    this.#call("leaseRevoke", { id }).catch((error: unknown) => {
      if (this.#phase !== "open") return;
      if (error instanceof StoreError && error.code === "NOT_FOUND") return;
      this.#options.log.warn("A lease that has expired could not be revoked; tried again", { reason: String(error) });
      this.#leases.add(id, 1);
    });
  }

  #stopTimers(): void {
    this.#progressTimer?.cancel();
    this.#leases.stop();
    this.#compactor?.stop();
  }

  #armProgress(): void {
    const intervalMs = this.#options.progressIntervalMs ?? DEFAULT_PROGRESS_INTERVAL_MS;
    this.#progressTimer = this.#options.clock.after(intervalMs, () => {
      this.#hub.progress();
      this.#armProgress();
    });
  }
}

export interface LeaseTimeToLive {
  readonly leftSeconds: number;
  readonly grantedSeconds: number;
  readonly keys: readonly Uint8Array[];
}
