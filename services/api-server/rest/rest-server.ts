import type { IncomingMessage } from "node:http";
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Startable } from "../../../lib/core/startable.ts";
import type { ApiServerOptions } from "../api-server.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Exchange } from "./exchange.ts";
import { closeWhenIdle } from "./idle-session.ts";

export interface RestServerComponents {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly log: Log;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 10_000;
const CHECK_INTERVAL_MS = 1_000;
/** As upstream's idle timeout. */
const IDLE_MS = 90_000;
const MAX_STREAMS = 250;
/** Node's default of 64 KiB makes a large list wait for the client at every window. */
const WINDOW_BYTES = 1024 * 1024;
const SESSION_WINDOW_BYTES = 4 * WINDOW_BYTES;
/** Frames that make no sense before a session is given up. */
const MAX_INVALID_FRAMES = 100;
const SESSION_MEMORY_MB = 32;
const DRAIN_MS = 5_000;

/** The REST face: HTTPS, HTTP/1.1 and HTTP/2 on one port. */
export class RestServer implements Startable {
  readonly #components: RestServerComponents;
  readonly #options: ApiServerOptions;
  readonly #server: Http2SecureServer;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #open = new Set<Promise<void>>();

  constructor(components: RestServerComponents, options: ApiServerOptions) {
    this.#components = components;
    this.#options = options;
    this.#server = createSecureServer({
      ...this.#secureContext(options.tls),
      requestCert: true,
      rejectUnauthorized: false,
      allowHTTP1: true,
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxSessionInvalidFrames: MAX_INVALID_FRAMES,
      maxSessionMemory: SESSION_MEMORY_MB,
      settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: WINDOW_BYTES },
    });
  }

  /** Connections that are made from now on see this certificate. */
  renewCertificate(pair: ApiServerOptions["tls"]): void {
    this.#server.setSecureContext(this.#secureContext(pair));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  async start(): Promise<void> {
    const server = this.#server;
    const { clock, log } = this.#components;
    // These belong to HTTP/1.1 connections; the types of the HTTP/2 server do not know them.
    const timeouts = {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: 0,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    };
    Object.assign(server, timeouts);
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on("session", (session) => {
      closeWhenIdle(session, clock, { firstMs: HEADERS_TIMEOUT_MS, laterMs: IDLE_MS });
      this.#sessions.add(session);
      session.setLocalWindowSize(SESSION_WINDOW_BYTES);
      session.on("close", () => this.#sessions.delete(session));
    });
    server.on("request", (request, response) => this.#serve(new Exchange(request, response)));
    server.on("sessionError", (error) => log.debug("HTTP/2 session failed", { error: String(error) }));
    server.on("tlsClientError", (error) => log.debug("TLS handshake failed", { error: String(error) }));
    const { listen } = this.#options;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen("fd" in listen ? { fd: listen.fd } : listen, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) => log.error("the API's listening socket failed", { error: String(error) }));
  }

  /** Takes nothing new, lets running requests end for a while, then closes every connection. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const drained = new AbortController();
    const timeout = this.#components.clock.sleep(DRAIN_MS, drained.signal).catch(() => {});
    await Promise.race([Promise.allSettled([...this.#open]), timeout]);
    drained.abort();
    for (const session of this.#sessions) session.close();
    for (const socket of this.#sockets) socket.destroySoon();
    const late = this.#components.clock.after(DRAIN_MS, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await closed;
    late.cancel();
  }

  #secureContext({ certPem, keyPem }: ApiServerOptions["tls"]): SecureContextOptions {
    return { cert: certPem, key: keyPem, ca: this.#options.clientCaPem, minVersion: "TLSv1.2" };
  }

  #serve(exchange: Exchange): void {
    const { dispatcher } = this.#components;
    const socket = socketOf(exchange.request);
    const done = dispatcher.serve(exchange, socket).finally(() => this.#open.delete(done));
    this.#open.add(done);
  }
}

function socketOf(request: IncomingMessage | Http2ServerRequest): TLSSocket {
  const { stream } = request as Http2ServerRequest;
  return (stream?.session?.socket ?? request.socket) as TLSSocket;
}
