import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { CallOptions } from "../transport/grpc-client.ts";
import { type EtcdCallKind, type EtcdEndpoint, EtcdEndpoints, type EtcdEndpointsOptions } from "./etcd-endpoints.ts";
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
 * A store behind etcd's v3 gRPC API: ours or etcd itself, of one member or more. Calls go to one endpoint and move on when
 * it fails, does not answer in time, or knows no leader; watches open their stream again where it broke off. Reads are
 * repeated on another endpoint, writes only when they were not done.
 */
export class EtcdStore implements Store {
  readonly #endpoints: EtcdEndpoints;
  readonly #keepAlive: EtcdKeepAlive;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watches = new Set<StoreWatch>();
  #knownCompactRevision = 0;
  /** Versions that were seen; a cluster may have several while it is upgraded. */
  readonly #versions = new Map<string, string>();

  constructor(components: { clock: Clock; log: Log }, options: EtcdStoreOptions) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#endpoints = new EtcdEndpoints(components, options);
    this.#keepAlive = new EtcdKeepAlive({ endpoints: this.#endpoints, clock: components.clock });
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    const message = rangeMessage(request);
    const kind = request.rangeEnd === undefined || request.countOnly ? "read" : "scan";
    return await this.#call(kind, async ({ kv }, options) => rangeResultOf(await kv.range(message, options)));
  }

  async txn(request: TxnRequest): Promise<TxnResult> {
    const message = txnMessage(request);
    const kind = isReadOnly(request) ? "read" : "write";
    return await this.#call(kind, async ({ kv }, options) => txnResultOf(await kv.txn(message, options)));
  }

  async compact(revision: number): Promise<void> {
    const message = { revision: BigInt(revision), physical: false };
    await this.#call("write", ({ kv }, options) => kv.compact(message, options));
    this.#knownCompactRevision = Math.max(this.#knownCompactRevision, revision);
  }

  watch(request: WatchRequest): StoreWatch {
    const components = { endpoints: this.#endpoints, clock: this.#clock, log: this.#log };
    const watch: StoreWatch = new EtcdWatch(components, {
      request,
      isProgressTrusted: () => this.#versions.size > 0 && [...this.#versions.values()].every(isProgressTrusted),
      ended: () => this.#watches.delete(watch),
    });
    this.#watches.add(watch);
    return watch;
  }

  async leaseGrant(request: { ttlSeconds: number; id?: bigint }): Promise<{ id: bigint; ttlSeconds: number }> {
    const message = { TTL: BigInt(Math.ceil(request.ttlSeconds)), ID: request.id ?? 0n };
    const answer = await this.#call("write", ({ lease }, options) => lease.leaseGrant(message, options));
    return { id: answer.ID, ttlSeconds: Number(answer.TTL) };
  }

  leaseKeepAlive(id: bigint): Promise<number> {
    return this.#keepAlive.send(id);
  }

  async leaseRevoke(id: bigint): Promise<void> {
    await this.#call("write", ({ lease }, options) => lease.leaseRevoke({ ID: id }, options));
  }

  /** The API does not tell the compact revision: it is the last one that this client has asked for, or 0. */
  async status(): Promise<StoreStatus> {
    const status = await this.#call("read", ({ maintenance }, options) => maintenance.status({}, options));
    return {
      version: status.version,
      clusterId: status.header?.clusterId ?? 0n,
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

  async #call<T>(kind: EtcdCallKind, work: (endpoint: EtcdEndpoint, options: CallOptions) => Promise<T>): Promise<T> {
    return await this.#endpoints.call(kind, async (endpoint, options) => {
      const answer = await work(endpoint, options);
      if (!this.#versions.has(endpoint.address)) void this.#learnVersion(endpoint, options);
      return answer;
    });
  }

  /** Once for each endpoint, on the side: the calls need not wait for it. */
  async #learnVersion(endpoint: EtcdEndpoint, options: CallOptions): Promise<void> {
    const { address } = endpoint;
    this.#versions.set(address, UNKNOWN_VERSION);
    try {
      const { version } = await endpoint.maintenance.status({}, options);
      this.#versions.set(address, version);
      if (isProgressTrusted(version)) return;
      this.#log.warn("progress of this etcd may overtake events: upgrade it", { endpoint: address, version });
    } catch {
      this.#versions.delete(address);
    }
  }
}

const UNKNOWN_VERSION = "0";

function isReadOnly({ success, failure = [] }: TxnRequest): boolean {
  return [...success, ...failure].every((op) => op.type === "range" || (op.type === "txn" && isReadOnly(op)));
}

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
