import { KVDefinition, LeaseDefinition, MaintenanceDefinition, WatchDefinition } from "../gen/etcd/etcdserverpb/rpc.ts";
import { type ChannelOptions, GrpcChannel, type ServiceClient } from "../transport/grpc-client.ts";
import { RpcError } from "../transport/rpc-error.ts";
import { StoreError, type StoreErrorCode } from "./store.ts";

export interface EtcdEndpointsOptions {
  /** `HOST:PORT`, `http://HOST:PORT`, `https://HOST:PORT`, or `unix:PATH`; tried in turn. At least one. */
  readonly endpoints: readonly string[];
  /** Absent: plain text. */
  readonly tls?: NonNullable<ChannelOptions["tls"]>;
}

/** etcd's services on one endpoint. */
export interface EtcdClients {
  readonly kv: ServiceClient<typeof KVDefinition>;
  readonly watch: ServiceClient<typeof WatchDefinition>;
  readonly lease: ServiceClient<typeof LeaseDefinition>;
  readonly maintenance: ServiceClient<typeof MaintenanceDefinition>;
}

/** An answer may be as large as what it asks for: etcd sets no limit for its clients either. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;
/** The request did not leave: it can be tried elsewhere, whatever it does. */
const NEVER_SENT = /No connection established|ECONNREFUSED|Name resolution failed/;

/** One connection at a time, to the first endpoint that answers; the next one after a failure. */
export class EtcdEndpoints {
  readonly #options: EtcdEndpointsOptions;
  readonly #channels = new Map<number, { channel: GrpcChannel; clients: EtcdClients }>();
  #at = 0;
  #closed = false;

  constructor(options: EtcdEndpointsOptions) {
    this.#options = options;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The services where calls go now. */
  current(): EtcdClients {
    if (this.#closed) throw new StoreError("UNAVAILABLE", "the store is closed");
    const open = this.#channels.get(this.#at);
    if (open !== undefined) return open.clients;
    const channel = new GrpcChannel({
      target: targetOf(this.#options.endpoints[this.#at]!),
      maxMessageBytes: MAX_MESSAGE_BYTES,
      ...(this.#options.tls === undefined ? {} : { tls: this.#options.tls }),
    });
    const clients = {
      kv: channel.client(KVDefinition),
      watch: channel.client(WatchDefinition),
      lease: channel.client(LeaseDefinition),
      maintenance: channel.client(MaintenanceDefinition),
    };
    this.#channels.set(this.#at, { channel, clients });
    return clients;
  }

  /** Leaves the endpoint that has failed, if there is another. */
  rotate(): void {
    this.#at = (this.#at + 1) % this.#options.endpoints.length;
  }

  /**
   * Calls the current endpoint and, when that cannot be reached, the others. A write that may have arrived is not
   * repeated: its outcome is unknown, and the caller is told UNAVAILABLE.
   */
  async call<T>(work: (clients: EtcdClients) => Promise<T>, options: { readonly repeatable: boolean }): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work(this.current());
      } catch (error) {
        const failure = storeErrorOf(error);
        if (failure.code !== "UNAVAILABLE" || this.#closed) throw failure;
        this.rotate();
        if (attempt >= this.#options.endpoints.length) throw failure;
        if (!options.repeatable && !NEVER_SENT.test(failure.message)) throw failure;
      }
    }
  }

  close(): void {
    this.#closed = true;
    for (const { channel } of this.#channels.values()) channel.close();
    this.#channels.clear();
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
  "CANCELLED",
]);

/** What the transport threw, as the store's error; a deadline that has passed leaves the outcome as open as a lost connection. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof RpcError)) return new StoreError("UNKNOWN", String(error), { cause: error });
  if (error.code === "DEADLINE_EXCEEDED") return new StoreError("UNAVAILABLE", error.message, { cause: error });
  const code = STORE_CODES.has(error.code) ? (error.code as StoreErrorCode) : "UNKNOWN";
  return new StoreError(code, error.message, { cause: error });
}
