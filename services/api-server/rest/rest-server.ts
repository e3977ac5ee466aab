import type { IncomingMessage } from "node:http";
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Random } from "../../../lib/core/random.ts";
import type { Startable } from "../../../lib/core/startable.ts";
import { asStatusError, type StatusError, unauthorized } from "../../../lib/core/status-error.ts";
import type { Registry } from "../../../lib/resource/registry.ts";
import type { ApiServerOptions } from "../api-server.ts";
import { certificateIdentity } from "../auth/client-certificate.ts";
import type { BuiltCore } from "../core/build-core.ts";
import type { Identity } from "../core/request.ts";
import { Answers } from "./answers.ts";
import { type AnyRequest, type AnyResponse, ClientGone, Exchange } from "./exchange.ts";
import { type Format, negotiate } from "./negotiation.ts";
import { parsePath } from "./request-path.ts";
import { ResourceHandler } from "./resource-handler.ts";

export interface RestServerComponents {
  readonly built: BuiltCore;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 10_000;
const MAX_STREAMS = 250;
const WINDOW_BYTES = 1024 * 1024;

/** The REST face: HTTPS, HTTP/1.1 and HTTP/2 on one port. */
export class RestServer implements Startable {
  readonly #components: RestServerComponents;
  readonly #options: ApiServerOptions;
  readonly #answers: Answers;
  readonly #resources: ResourceHandler;
  readonly #server: Http2SecureServer;
  readonly #sockets = new Set<Socket>();

  constructor(components: RestServerComponents, options: ApiServerOptions) {
    this.#components = components;
    this.#options = options;
    const { built, clock } = components;
    this.#answers = new Answers({ codec: built.codec, statusCodec: built.statusCodec, clock });
    this.#resources = new ResourceHandler({ ...built, answers: this.#answers, clock });
    this.#server = createSecureServer({
      cert: options.tls.certPem,
      key: options.tls.keyPem,
      ca: options.clientCaPem,
      requestCert: true,
      rejectUnauthorized: false,
      allowHTTP1: true,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: WINDOW_BYTES },
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  async start(): Promise<void> {
    const server = this.#server;
    Object.assign(server, { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0 });
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on("request", (request: AnyRequest, response: AnyResponse) => {
      void this.#serve(new Exchange(request, response));
    });
    server.on("sessionError", (error) => this.#components.log.debug("HTTP/2 session failed", { error: String(error) }));
    server.on("tlsClientError", (error) =>
      this.#components.log.debug("TLS handshake failed", { error: String(error) }),
    );
    const { listen } = this.#options;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen("fd" in listen ? { fd: listen.fd } : listen, () => resolve());
    });
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(exchange: Exchange): Promise<void> {
    exchange.setHeader("audit-id", this.#components.random.uuid());
    exchange.setHeader("cache-control", "no-cache, private");
    try {
      const path = parsePath(exchange.rawPath);
      const identity = await this.#authenticate(exchange);
      if (path.type === "resource") return await this.#resources.handle(exchange, path, identity);
      throw unauthorized();
    } catch (error) {
      if (error instanceof ClientGone || exchange.signal.aborted) return;
      await this.#fail(exchange, asStatusError(error));
    }
  }

  async #authenticate(exchange: Exchange): Promise<Identity> {
    const identity = certificateIdentity(socketOf(exchange.request));
    if (identity === undefined) throw unauthorized();
    return identity;
  }

  async #fail(exchange: Exchange, error: StatusError): Promise<void> {
    if (error.code >= 500 && error.cause !== undefined) {
      this.#components.log.error("request failed", { path: exchange.rawPath, error: describe(error.cause) });
    }
    if (exchange.response.headersSent) {
      exchange.response.destroy();
      return;
    }
    await this.#answers.error(exchange, error, errorFormat(exchange)).catch(() => exchange.response.destroy());
  }
}

function errorFormat(exchange: Exchange): Format {
  try {
    return negotiate(exchange.headers.accept, true).format;
  } catch {
    return "json";
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

function socketOf(request: IncomingMessage | Http2ServerRequest): TLSSocket {
  const { stream } = request as Http2ServerRequest;
  return (stream?.session?.socket ?? request.socket) as TLSSocket;
}
