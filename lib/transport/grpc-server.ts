import { chmodSync } from "node:fs";
import type { SecureServerOptions } from "node:http2";
import type { SecureContextOptions } from "node:tls";
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import type { KeyPair } from "../core/key-pair.ts";
import type { Log } from "../core/log.ts";
import { RpcError, toServiceError } from "./rpc-error.ts";
import {
  grpcMethod,
  type MethodDefinition,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
} from "./service-definition.ts";
import { decodeStrictly } from "./strict-reader.ts";
import { clearUnixSocket } from "./unix-socket.ts";

/** What a handler knows of its call. */
export interface ServerCall {
  /** Aborted when the client cancels, goes away, or its deadline passes. */
  readonly signal: AbortSignal;
  /** Address of the client. */
  readonly peer: string;
  /** First value of a request header; undefined when it was not sent. */
  header(name: string): string | undefined;
  /** The client's certificate in DER, when it showed one that the server's client authority signed. */
  readonly peerCertificate: Uint8Array | undefined;
}

type ServerMethod<M extends MethodDefinition> = M extends { requestStream: true }
  ? (requests: AsyncIterable<RequestOf<M>>, call: ServerCall) => AsyncIterable<ResponseOf<M>>
  : M extends { responseStream: true }
    ? (request: RequestOf<M>, call: ServerCall) => AsyncIterable<ResponseOf<M>>
    : (request: RequestOf<M>, call: ServerCall) => Promise<ResponseOf<M>>;

/** One handler per method; a method left out answers UNIMPLEMENTED. Handlers fail with `RpcError`. */
export type ServiceHandlers<S extends ServiceDefinition> = {
  readonly [K in keyof S["methods"]]?: ServerMethod<S["methods"][K]>;
};

export interface GrpcServerOptions {
  /** Absent: plain text, for loopback and unix sockets only. */
  readonly tls?: {
    readonly certPem: string;
    readonly keyPem: string;
    readonly clientCaPem?: string;
    /**
     * With a client authority: whether a client without a certificate of it gets no further than the handshake (default),
     * or is served like one that has none, so that handlers look for other credentials.
     */
    readonly clientCertificate?: "required" | "optional";
  };
  /** Largest request that is taken, in bytes. Default 4 MiB. */
  readonly maxRequestBytes?: number;
}

const DEFAULT_MAX_REQUEST_BYTES = 4 * 2 ** 20;
const FLOW_CONTROL_WINDOW_BYTES = 2 ** 20;
/** Streams that one client may have open, and memory that one session may take: grpc-js bounds neither by itself. */
const MAX_STREAMS = 1_000;
const MAX_SESSION_MEMORY_MB = 64;
const HANDSHAKE_TIMEOUT_MS = 10_000;

interface RenewableCredentials {
  updateSecureContextOptions(options: SecureContextOptions): void;
}

interface Stream {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getPeer(): string;
  getAuthContext(): { sslPeerCertificate?: { raw: Buffer } };
  on(event: "cancelled", listener: () => void): unknown;
}

/** Serves typed handlers by gRPC; what the bytes of a request may not say is refused before a handler sees it. */
export class GrpcServer {
  readonly #server: Server;
  readonly #options: GrpcServerOptions;
  readonly #log: Log;
  readonly #open = new Set<AbortController>();
  #listening: ServerCredentials | undefined;

  constructor(components: { log: Log }, options: GrpcServerOptions = {}) {
    this.#log = components.log;
    this.#options = options;
    this.#server = new Server({
      "grpc.max_receive_message_length": options.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": MAX_STREAMS,
      "grpc-node.max_session_memory": MAX_SESSION_MEMORY_MB,
      "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
    });
  }

  addService<S extends ServiceDefinition>(service: S, handlers: ServiceHandlers<S>): void {
    const definition: Record<string, ReturnType<typeof grpcMethod>> = {};
    const bound: Record<string, UntypedHandleCall> = {};
    for (const [name, method] of Object.entries(service.methods)) {
      definition[name] = { ...grpcMethod(service, method), requestDeserialize: requestReader(method) };
      const handler = (handlers as Record<string, unknown>)[name];
      if (handler !== undefined) bound[name] = this.#bind(method, handler);
    }
    this.#server.addService(definition, bound);
  }

  /** Listens on `127.0.0.1:0`-like addresses or `unix:PATH`; resolves to the port (0 for a unix socket). */
  async listen(address: string): Promise<number> {
    const socket = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
    if (socket !== undefined) await clearUnixSocket(socket);
    const port = await this.#bindTo(address);
    // Whatever the umask: there is nobody to ask for a certificate.
    if (socket !== undefined) chmodSync(socket, 0o600);
    return port;
  }

  async #bindTo(address: string): Promise<number> {
    return await new Promise((resolve, reject) => {
      this.#listening = this.#credentials();
      this.#server.bindAsync(address, this.#listening, (error, port) => {
        if (error === null) resolve(port);
        else reject(new Error(`cannot listen on ${address}: ${listenProblem(error)}`, { cause: error }));
      });
    });
  }

  /** Connections that are made from now on see this certificate; those that are stay. For servers with TLS that listen. */
  renewCertificate(pair: KeyPair): void {
    const before = this.#listening?._getSecureContextOptions();
    if (before == null) throw new Error("the server has no certificate");
    const ciphers = this.#listening?._getConstructorOptions()?.ciphers;
    const context = { ...before, ...(ciphers && { ciphers }), cert: pair.certPem, key: pair.keyPem };
    // Not public, and what grpc-js itself calls when its own provider of certificates finds a new one.
    (this.#listening as unknown as RenewableCredentials).updateSecureContextOptions(context);
  }

  /** Ends every stream on purpose, then the connections. */
  async stop(): Promise<void> {
    for (const call of this.#open) call.abort(new RpcError("UNAVAILABLE", "the server stops"));
    await new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve());
      // What does not end by itself is cut: a client must not hold up the stop.
      setImmediate(() => this.#server.forceShutdown());
    });
  }

  #credentials(): ServerCredentials {
    const { tls } = this.#options;
    if (tls === undefined) return ServerCredentials.createInsecure();
    const pairs = [{ cert_chain: Buffer.from(tls.certPem), private_key: Buffer.from(tls.keyPem) }];
    const clientCa = tls.clientCaPem === undefined ? null : Buffer.from(tls.clientCaPem);
    const credentials = ServerCredentials.createSsl(clientCa, pairs, clientCa !== null);
    // Node waits 120 s, and grpc-js has no setting of its own (etcd GHSA-6vch).
    const settings: SecureServerOptions = { handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
    // Nor for this. It hands on a certificate only when the handshake has verified it (`authorized`), whatever is set here.
    if (tls.clientCertificate === "optional") settings.rejectUnauthorized = false;
    Object.assign(credentials._getConstructorOptions() ?? {}, settings);
    return credentials;
  }

  #bind(method: MethodDefinition, handler: unknown): UntypedHandleCall {
    if (method.requestStream) {
      const run = handler as (requests: AsyncIterable<unknown>, call: ServerCall) => AsyncIterable<unknown>;
      const bidi: handleBidiStreamingCall<unknown, unknown> = (stream) => {
        const call = this.#begin(stream);
        // A handler that leaves the loop over its requests early must not destroy the way of its answers.
        const requests = stream.iterator({ destroyOnReturn: false });
        this.#pump(run(readable(requests), call.context), stream, call.end);
      };
      return bidi;
    }
    if (method.responseStream) {
      const run = handler as (request: unknown, call: ServerCall) => AsyncIterable<unknown>;
      const streaming: handleServerStreamingCall<unknown, unknown> = (stream) => {
        const call = this.#begin(stream);
        const answers = isRefused(stream.request) ? failing(stream.request) : run(stream.request, call.context);
        this.#pump(answers, stream, call.end);
      };
      return streaming;
    }
    const run = handler as (request: unknown, call: ServerCall) => Promise<unknown>;
    const unary: handleUnaryCall<unknown, unknown> = (stream, answer) => {
      const call = this.#begin(stream);
      const answered = isRefused(stream.request) ? Promise.reject(stream.request) : run(stream.request, call.context);
      answered.then(
        (response) => {
          call.end();
          answer(null, response);
        },
        (error: unknown) => {
          call.end();
          this.#logUnknown(error);
          answer(toServiceError(error));
        },
      );
    };
    return unary;
  }

  #begin(stream: Stream): { context: ServerCall; end: () => void } {
    const abort = new AbortController();
    this.#open.add(abort);
    stream.on("cancelled", () => {
      // grpc-js also says so of every call that has ended well.
      if (this.#open.has(abort)) abort.abort(new RpcError("CANCELLED", "the client cancelled the call"));
    });
    const context: ServerCall = {
      signal: abort.signal,
      get peer() {
        return stream.getPeer();
      },
      header: (name) => stream.metadata.get(name)[0]?.toString(),
      get peerCertificate() {
        return stream.getAuthContext().sslPeerCertificate?.raw;
      },
    };
    return { context, end: () => this.#open.delete(abort) };
  }

  /** Writes answers as fast as the client reads them, never faster. */
  #pump(answers: AsyncIterable<unknown>, stream: PumpTarget, end: () => void): void {
    const run = async () => {
      for await (const answer of answers) {
        if (stream.cancelled) return;
        if (!stream.write(answer)) await drained(stream);
      }
      stream.end();
    };
    run()
      .catch((error: unknown) => {
        this.#logUnknown(error);
        if (!stream.cancelled) stream.emit("error", toServiceError(error));
      })
      .finally(end);
  }

  #logUnknown(error: unknown): void {
    if (!(error instanceof RpcError))
      this.#log.error("a gRPC handler failed", { error: String(error instanceof Error ? error.stack : error) });
  }
}

/** grpc-js wraps what the machine says into what it tried. */
function listenProblem(error: Error): string {
  return /errors: \[(.+)\]$/.exec(error.message)?.[1] ?? error.message;
}

/** grpc-js would call a request that cannot be read our own failure (INTERNAL); it comes to the handler's place as this. */
function requestReader(method: MethodDefinition): (bytes: Buffer) => unknown {
  return (bytes) => {
    try {
      return decodeStrictly(method.requestType, bytes);
    } catch (error) {
      return new RpcError("INVALID_ARGUMENT", "the request cannot be read", { cause: error });
    }
  };
}

function isRefused(request: unknown): request is RpcError {
  return request instanceof RpcError;
}

async function* readable(requests: AsyncIterable<unknown>): AsyncIterable<unknown> {
  for await (const request of requests) {
    if (isRefused(request)) throw request;
    yield request;
  }
}

// biome-ignore lint/correctness/useYield: it is the shape of a stream that fails before its first message
async function* failing(error: RpcError): AsyncIterable<never> {
  throw error;
}

interface PumpTarget {
  readonly cancelled: boolean;
  write(message: unknown): boolean;
  end(): void;
  emit(event: "error", error: unknown): boolean;
  once(event: "drain" | "cancelled" | "close", listener: () => void): unknown;
  off(event: "drain" | "cancelled" | "close", listener: () => void): unknown;
}

function drained(stream: PumpTarget): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("cancelled", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("cancelled", done);
    stream.once("close", done);
  });
}
