import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { EtcdEndpoints, type EtcdEndpointsOptions } from "./etcd-endpoints.ts";
import { EtcdKeepAlive } from "./etcd-keep-alive.ts";
import { rangeMessage, rangeResultOf, txnMessage, txnResultOf } from "./etcd-messages.ts";
import { EtcdWatch } from "./etcd-watch.ts";
import type {
  RangeRequest,
  RangeResult,
  Store,
  StoreStatus,
  StoreWatch,
  TxnRequest,
  TxnResult,
  WatchRequest,
} from "./store.ts";

export type EtcdStoreOptions = EtcdEndpointsOptions;

/**
 * A store behind etcd's v3 gRPC API: ours or etcd itself. Calls go to one endpoint and move on when it fails; watches
 * open their stream again by themselves. Reads are repeated on another endpoint, writes only when they were not sent.
 */
export class EtcdStore implements Store {
  readonly #endpoints: EtcdEndpoints;
  readonly #keepAlive: EtcdKeepAlive;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watches = new Set<StoreWatch>();
  #knownCompactRevision = 0;
  #warned = false;

  constructor(components: { clock: Clock; log: Log }, options: EtcdStoreOptions) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#endpoints = new EtcdEndpoints(options);
    this.#keepAlive = new EtcdKeepAlive(this.#endpoints);
  }

  range(request: RangeRequest): Promise<RangeResult> {
    return this.#endpoints.call(async ({ kv }) => rangeResultOf(await kv.range(rangeMessage(request))), READ);
  }

  txn(request: TxnRequest): Promise<TxnResult> {
    return this.#endpoints.call(async ({ kv }) => txnResultOf(await kv.txn(txnMessage(request))), WRITE);
  }

  async compact(revision: number): Promise<void> {
    await this.#endpoints.call(({ kv }) => kv.compact({ revision: BigInt(revision), physical: false }), WRITE);
    this.#knownCompactRevision = Math.max(this.#knownCompactRevision, revision);
  }

  watch(request: WatchRequest): StoreWatch {
    const components = { endpoints: this.#endpoints, clock: this.#clock, log: this.#log };
    const watch: StoreWatch = new EtcdWatch(components, { request, ended: () => this.#watches.delete(watch) });
    this.#watches.add(watch);
    return watch;
  }

  async leaseGrant(request: { ttlSeconds: number; id?: bigint }): Promise<{ id: bigint; ttlSeconds: number }> {
    const message = { TTL: BigInt(Math.ceil(request.ttlSeconds)), ID: request.id ?? 0n };
    const answer = await this.#endpoints.call(({ lease }) => lease.leaseGrant(message), WRITE);
    return { id: answer.ID, ttlSeconds: Number(answer.TTL) };
  }

  leaseKeepAlive(id: bigint): Promise<number> {
    return this.#keepAlive.send(id);
  }

  async leaseRevoke(id: bigint): Promise<void> {
    await this.#endpoints.call(({ lease }) => lease.leaseRevoke({ ID: id }), WRITE);
  }

  /** The API does not tell the compact revision: it is the last one that this client has asked for, or 0. */
  async status(): Promise<StoreStatus> {
    const status = await this.#endpoints.call(({ maintenance }) => maintenance.status({}), READ);
    if (!this.#warned && !isProgressTrusted(status.version)) {
      this.#warned = true;
      this.#log.warn("Progress of this etcd may overtake events: upgrade it", { version: status.version });
    }
    return {
      version: status.version,
      revision: Number(status.header?.revision ?? 0n),
      compactRevision: this.#knownCompactRevision,
      dbSizeBytes: Number(status.dbSize),
      dbSizeInUseBytes: Number(status.dbSizeInUse),
    };
  }

  async close(): Promise<void> {
    for (const watch of [...this.#watches]) watch.cancel();
    this.#keepAlive.close();
    this.#endpoints.close();
  }
}

const READ = { repeatable: true };
const WRITE = { repeatable: false };

/** First versions of etcd whose progress never overtakes events (https://github.com/etcd-io/etcd/issues/15220). */
const TRUSTED_FROM: readonly (readonly [number, number, number])[] = [
  [3, 4, 31],
  [3, 5, 13],
  [3, 6, 0],
];

/** Whether the progress of such a server proves what it says; where it does not, consistent reads must ask the store. */
export function isProgressTrusted(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  if (major !== 3 || minor > 6) return major > 3 || minor > 6;
  const from = TRUSTED_FROM.find((candidate) => candidate[1] === minor);
  return from !== undefined && patch >= from[2];
}
