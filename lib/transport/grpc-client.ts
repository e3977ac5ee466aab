import { Client, type ClientOptions, credentials, Metadata, status } from "@grpc/grpc-js";
import { fromServiceError, RpcError } from "./rpc-error.ts";
import {
  grpcMethod,
  type MethodDefinition,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
} from "./service-definition.ts";

export interface ChannelOptions {
  /** `127.0.0.1:2379`, `unix:///run/x.sock`, or what `listTarget` makes of several addresses. */
  readonly target: string;
  /** Absent: plain text, for loopback and unix sockets only. */
  readonly tls?: {
    readonly caPem: string;
    readonly certPem?: string;
    readonly keyPem?: string;
    readonly serverName?: string;
  };
  /** Largest message that is taken, in bytes. Default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Pings while calls are open, after so long without them; an unanswered one ends the connection. Default: none. */
  readonly keepAlive?: { readonly everyMs: number; readonly timeoutMs: number };
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** The call fails with DEADLINE_EXCEEDED after this time. */
  readonly timeoutMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A stream in both directions. Iterate it once; `cancel` ends both ways. */
export interface DuplexCall<Req, Res> extends AsyncIterable<Res> {
  /** Resolves when the message may be followed by another; waits while the peer is slow. */
  write(message: Req): Promise<void>;
  /** No more messages will be written. */
  end(): void;
  cancel(): void;
}

type ClientMethod<M extends MethodDefinition> = M extends { requestStream: true }
  ? (options?: CallOptions) => DuplexCall<RequestOf<M>, ResponseOf<M>>
  : M extends { responseStream: true }
    ? (request: RequestOf<M>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>
    : (request: RequestOf<M>, options?: CallOptions) => Promise<ResponseOf<M>>;

/** A typed client: one function per method. All fail with `RpcError`. */
export type ServiceClient<S extends ServiceDefinition> = {
  readonly [K in keyof S["methods"]]: ClientMethod<S["methods"][K]>;
};

const DEFAULT_MAX_MESSAGE_BYTES = 16 * 2 ** 20;
/** Node's own window of 64 KiB makes large answers slow. */
const FLOW_CONTROL_WINDOW_BYTES = 2 ** 20;

/** One connection to one server at a time, shared by the clients of all its services. */
export class GrpcChannel {
  #options: ChannelOptions;
  #client: Client;
  #calls = new Set<OpenCall>();

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#client = this.#connect(options.target);
  }

  #connect(target: string): Client {
    const options = this.#options;
    const limit = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    const settings: ClientOptions = {
      "grpc.max_receive_message_length": limit,
      "grpc.max_send_message_length": limit,
      "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
      // A channel of its own: closing one must not close another to the same address.
      "grpc.use_local_subchannel_pool": 1,
      // Else every name is also asked of DNS for a TXT record that nobody made, and a slow DNS server holds up the exit.
      "grpc.service_config_disable_resolution": 1,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 2_000,
    };
    if (options.keepAlive !== undefined) {
      settings["grpc.keepalive_time_ms"] = options.keepAlive.everyMs;
      settings["grpc.keepalive_timeout_ms"] = options.keepAlive.timeoutMs;
    }
    if (target.startsWith("unix:")) settings["grpc.default_authority"] = "localhost";
    if (options.tls?.serverName !== undefined) settings["grpc.ssl_target_name_override"] = options.tls.serverName;
    return new Client(target, channelCredentials(options), settings);
  }

  /**
   * Leaves the connection for one to `target`, from then on with other certificates where they are given. Calls that are open
   * fail with UNAVAILABLE: what they did is unknown.
   */
  reconnect(target: string, tls = this.#options.tls): void {
    if (tls !== undefined) this.#options = { ...this.#options, tls };
    const [client, calls] = [this.#client, this.#calls];
    this.#client = this.#connect(target);
    this.#calls = new Set();
    client.close();
    for (const { call } of calls) call?.cancelWithStatus(status.UNAVAILABLE, "the connection was left for another");
  }

  client<S extends ServiceDefinition>(service: S): ServiceClient<S> {
    const methods: Record<string, unknown> = {};
    for (const [name, method] of Object.entries(service.methods)) methods[name] = this.#bind(service, method);
    return methods as ServiceClient<S>;
  }

  /** Fails when the server does not answer within `timeoutMs`. */
  waitForReady(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.waitForReady(performance.timeOrigin + performance.now() + timeoutMs, (error) => {
        if (error === undefined) resolve();
        else reject(fromServiceError(error));
      });
    });
  }

  close(): void {
    this.#client.close();
  }

  /** Answers what must be called when the call is over. */
  #begun(signal: AbortSignal | undefined, call: OpenCall): () => void {
    const calls = this.#calls;
    calls.add(call);
    const released = cancelOn(signal, call);
    return () => {
      calls.delete(call);
      released();
    };
  }

  #bind(service: ServiceDefinition, method: MethodDefinition): unknown {
    const grpc = grpcMethod(service, method);
    const { path, requestSerialize: encode, responseDeserialize: decode } = grpc;
    if (method.requestStream) {
      return (options: CallOptions = {}) => {
        const call = this.#client.makeBidiStreamRequest(path, encode, decode, metadataOf(options), deadlineOf(options));
        const released = this.#begun(options.signal, call);
        const messages = received(call, released);
        return {
          write: (message: unknown) => new Promise<void>((resolve) => void call.write(message, () => resolve())),
          end: () => call.end(),
          cancel: () => call.cancel(),
          [Symbol.asyncIterator]: () => messages[Symbol.asyncIterator](),
        };
      };
    }
    if (method.responseStream) {
      return (request: unknown, options: CallOptions = {}) => {
        const call = this.#client.makeServerStreamRequest(
          path,
          encode,
          decode,
          request,
          metadataOf(options),
          deadlineOf(options),
        );
        return received(call, this.#begun(options.signal, call));
      };
    }
    return (request: unknown, options: CallOptions = {}) =>
      new Promise((resolve, reject) => {
        const call = this.#client.makeUnaryRequest(
          path,
          encode,
          decode,
          request,
          metadataOf(options),
          deadlineOf(options),
          (error, answer) => {
            release();
            if (error === null) resolve(answer);
            else reject(fromServiceError(error));
          },
        );
        const release = this.#begun(options.signal, call);
      }).catch((error: unknown) => {
        // A channel that was closed throws instead of answering.
        throw error instanceof RpcError ? error : new RpcError("UNAVAILABLE", String(error), { cause: error });
      });
  }
}

/** As grpc-js has it: the inner call can end with a status of our choice. */
interface OpenCall {
  readonly call?: { cancelWithStatus(code: status, details: string): void } | undefined;
  cancel(): void;
}

function channelCredentials(options: ChannelOptions) {
  const { tls } = options;
  if (tls === undefined) return credentials.createInsecure();
  const [key, cert] = [tls.keyPem, tls.certPem].map((pem) => (pem === undefined ? null : Buffer.from(pem)));
  return credentials.createSsl(Buffer.from(tls.caPem), key ?? null, cert ?? null);
}

function metadataOf(options: CallOptions): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
  return metadata;
}

function deadlineOf(options: CallOptions): { deadline?: number } {
  if (options.timeoutMs === undefined) return {};
  // grpc-js takes a wall-clock moment; timeOrigin + now is that clock without its jumps.
  return { deadline: performance.timeOrigin + performance.now() + options.timeoutMs };
}

/** Returns what undoes it, so that a long-lived signal does not collect the listeners of ended calls. */
function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  if (signal === undefined) return () => {};
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  return () => signal.removeEventListener("abort", cancel);
}

async function* received(
  call: AsyncIterable<unknown> & { cancel(): void },
  release: () => void,
): AsyncIterable<unknown> {
  try {
    for await (const message of call) yield message;
  } catch (error) {
    throw fromServiceError(error);
  } finally {
    release();
    call.cancel();
  }
}
