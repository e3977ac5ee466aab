import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { KVDefinition, LeaseDefinition, MaintenanceDefinition, WatchDefinition } from "../gen/etcd/etcdserverpb/rpc.ts";
import { type CallOptions, type ChannelOptions, GrpcChannel, type ServiceClient } from "../transport/grpc-client.ts";
import { RpcError } from "../transport/rpc-error.ts";
import { StoreError, type StoreErrorCode } from "./store.ts";

type Tls = NonNullable<ChannelOptions["tls"]>;

export interface EtcdEndpointsOptions {
  /** `HOST:PORT`, `http://HOST:PORT`, `https://HOST:PORT`, or `unix:PATH`; tried in turn. At least one. */
  readonly endpoints: readonly string[];
  /** Absent: plain text. Read again when an endpoint fails, so that a getter can give what has been renewed. */
  readonly tls?: Tls;
}

/** etcd's services on one endpoint. */
export interface EtcdEndpoint {
  readonly address: string;
  readonly kv: ServiceClient<typeof KVDefinition>;
  readonly watch: ServiceClient<typeof WatchDefinition>;
  readonly lease: ServiceClient<typeof LeaseDefinition>;
  readonly maintenance: ServiceClient<typeof MaintenanceDefinition>;
}

interface OpenEndpoint {
  readonly channel: GrpcChannel;
  readonly endpoint: EtcdEndpoint;
  readonly tls: Tls | undefined;
  tlsReadMs: number;
}

/**
 * A read, of one key or of many, is repeated on other endpoints; a write only when it is known not to have been done.
 */
export type EtcdCallKind = "read" | "scan" | "write";

/** An answer may be as large as what it asks for: etcd sets no limit for its clients either. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;
/** Not more often than etcd allows (`--grpc-keepalive-min-time`, 5 s); a frozen endpoint is left after both. */
const KEEP_ALIVE = { everyMs: 6_000, timeoutMs: 3_000 };
/** How long one endpoint may take. What is read of many keys can be large; pings tell sooner that nobody is there. */
const TIMEOUT_MS: Readonly<Record<EtcdCallKind, number>> = { read: 5_000, scan: 30_000, write: 10_000 };
/** A member that knows no leader says so at once, instead of letting the call or the watch hang. */
export const REQUIRE_LEADER = { hasleader: "true" };
/** The request did not leave, or was refused before anything was done: it can be tried elsewhere, whatever it does. */
const NEVER_DONE =
  /No connection established|ECONNREFUSED|Name resolution failed|Waiting for LB pick|etcdserver: (no leader|too many requests)/;
/** Passes when a leader is elected, a second or two. */
const ELECTING = /etcdserver: (no leader|leader changed)/;
const ELECTION_WAIT_MS = 3_000;
const ELECTION_RETRY_MS = 100;
const TLS_READ_MS = 1_000;

/**
 * One connection at a time, to the first endpoint that answers; the next one after a failure. The constructor refuses
 * certificates that are none with INVALID_ARGUMENT.
 */
export class EtcdEndpoints {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: EtcdEndpointsOptions;
  readonly #open = new Map<string, OpenEndpoint>();
  /** Endpoints that have failed since they last answered. */
  readonly #failing = new Set<string>();
  readonly #closing = new AbortController();
  #at = 0;

  constructor(components: { clock: Clock; log: Log }, options: EtcdEndpointsOptions) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#options = options;
    try {
      this.current();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `the client certificate and key for the store cannot be used: ${reason}`;
      throw new StoreError("INVALID_ARGUMENT", message, { cause: error });
    }
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Where calls go now. */
  current(): EtcdEndpoint {
    if (this.closed) throw new StoreError("UNAVAILABLE", "the store is closed");
    const address = this.#options.endpoints[this.#at]!;
    const open = this.#open.get(address) ?? this.#connect(address, this.#options.tls);
    return open.endpoint;
  }

  /** Goes on to the next endpoint, unless another call has left this one already. */
  leave(endpoint: EtcdEndpoint, reason: StoreError): void {
    if (this.closed) return;
    const { endpoints } = this.#options;
    if (endpoints[this.#at] === endpoint.address) this.#at = (this.#at + 1) % endpoints.length;
    this.#renew(endpoint.address);
    if (this.#failing.has(endpoint.address)) return;
    this.#failing.add(endpoint.address);
    this.#log.warn("an endpoint of the store fails", { endpoint: endpoint.address, reason: reason.message });
  }

  answered(endpoint: EtcdEndpoint): void {
    if (this.#failing.delete(endpoint.address))
      this.#log.info("an endpoint of the store answers again", { endpoint: endpoint.address });
  }

  /**
   * Calls the current endpoint and, when that fails, the others, waiting a little where a leader is being elected. A write
   * that may have been done is not repeated: its outcome is unknown, and the caller is told UNAVAILABLE.
   */
  async call<T>(kind: EtcdCallKind, work: (endpoint: EtcdEndpoint, options: CallOptions) => Promise<T>): Promise<T> {
    const options = { timeoutMs: TIMEOUT_MS[kind], metadata: REQUIRE_LEADER };
    const electionEndMs = this.#clock.monotonicMs() + ELECTION_WAIT_MS;
    for (;;) {
      let electing = false;
      let failure: StoreError | undefined;
      for (const _ of this.#options.endpoints) {
        const endpoint = this.current();
        try {
          const answer = await work(endpoint, options);
          this.answered(endpoint);
          return answer;
        } catch (error) {
          failure = storeErrorOf(error);
          if (failure.code !== "UNAVAILABLE" || this.closed) throw failure;
          this.leave(endpoint, failure);
          if (kind === "write" && !NEVER_DONE.test(failure.message)) throw failure;
          electing ||= ELECTING.test(failure.message);
        }
      }
      if (!electing || this.#clock.monotonicMs() >= electionEndMs) throw failure;
      await this.#clock.sleep(ELECTION_RETRY_MS, this.#closing.signal).catch(() => {});
    }
  }

  close(): void {
    this.#closing.abort();
    for (const { channel } of this.#open.values()) channel.close();
    this.#open.clear();
  }

  #connect(address: string, tls: Tls | undefined): OpenEndpoint {
    const channel = new GrpcChannel({
      target: targetOf(address),
      maxMessageBytes: MAX_MESSAGE_BYTES,
      keepAlive: KEEP_ALIVE,
      ...(tls === undefined ? {} : { tls }),
    });
    const endpoint = {
      address,
      kv: channel.client(KVDefinition),
      watch: channel.client(WatchDefinition),
      lease: channel.client(LeaseDefinition),
      maintenance: channel.client(MaintenanceDefinition),
    };
    const open = { channel, endpoint, tls, tlsReadMs: this.#clock.monotonicMs() };
    this.#open.set(address, open);
    return open;
  }

  /** A connection shows the certificate that it was made with, again and again: one that has expired must be replaced. */
  #renew(address: string): void {
    const open = this.#open.get(address);
    const nowMs = this.#clock.monotonicMs();
    if (open?.tls === undefined || nowMs - open.tlsReadMs < TLS_READ_MS) return;
    open.tlsReadMs = nowMs;
    try {
      const { tls } = this.#options;
      if (JSON.stringify(tls) === JSON.stringify(open.tls)) return;
      this.#connect(address, tls);
    } catch (error) {
      // Half written: the next failure reads it again.
      this.#log.debug("renewed certificates for the store cannot be used", { reason: String(error) });
      return;
    }
    open.channel.close();
  }
}

function targetOf(endpoint: string): string {
  return endpoint.replace(/^(https?|etcd):\/\//, "");
}

const STORE_CODES: ReadonlySet<string> = new Set<StoreErrorCode>([
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "FAILED_PRECONDITION",
  "OUT_OF_RANGE",
  "RESOURCE_EXHAUSTED",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNIMPLEMENTED",
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
]);

/**
 * What the transport threw, as the store's error. A deadline that has passed and a stream that was reset leave the outcome
 * as open as a lost connection; a member that has too much to do says RESOURCE_EXHAUSTED as a full one does.
 */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof RpcError)) return new StoreError("UNKNOWN", String(error), { cause: error });
  const lost = LOST_CODES.has(error.code) || error.message.includes("etcdserver: too many requests");
  if (lost) return new StoreError("UNAVAILABLE", error.message, { cause: error });
  const code = STORE_CODES.has(error.code) ? (error.code as StoreErrorCode) : "UNKNOWN";
  return new StoreError(code, error.message, { cause: error });
}

const LOST_CODES: ReadonlySet<string> = new Set(["DEADLINE_EXCEEDED", "INTERNAL", "CANCELLED"]);
