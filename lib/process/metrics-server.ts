import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Startable } from "../core/startable.ts";
import { createServer } from "./node-http.ts";

export interface MetricsServerComponents {
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Why the role is not ready; empty when it is. */
  readonly problem: () => Promise<string>;
}

export interface MetricsServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Clients need a certificate of `clientCaPem`. Absent: plain text, on loopback addresses only. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string; readonly clientCaPem: string };
}

const TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8";
const HEADERS_LIMIT_MS = 10_000;

/** `/metrics`, `/healthz`, `/livez` and `/readyz` of a role over HTTP, for scrapers and probes. */
export class MetricsServer implements Startable {
  readonly #components: MetricsServerComponents;
  readonly #options: MetricsServerOptions;
  readonly #server: Server;

  constructor(components: MetricsServerComponents, options: MetricsServerOptions) {
    this.#components = components;
    this.#options = options;
    const { tls } = options;
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#server =
      tls === undefined
        ? createServer({ headersTimeout: HEADERS_LIMIT_MS }, serve)
        : createSecureServer(
            {
              cert: tls.certPem,
              key: tls.keyPem,
              ca: tls.clientCaPem,
              requestCert: true,
              minVersion: "TLSv1.2",
              headersTimeout: HEADERS_LIMIT_MS,
            },
            serve,
          );
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { status, type, body } = await this.#answer(request);
      response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
      response.end(request.method === "HEAD" ? "" : body);
    } catch {
      response.writeHead(500).end();
    }
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; type: string; body: string }> {
    const plain = (status: number, body: string) => ({ status, type: "text/plain; charset=utf-8", body });
    if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "Method Not Allowed\n");
    const [path] = (request.url ?? "/").split("?", 1);
    if (path === "/metrics") return { status: 200, type: TEXT_FORMAT, body: await this.#components.metrics() };
    // That it answers is all there is to being alive: a role that waits for others must not be restarted for it.
    if (path === "/healthz" || path === "/livez") return plain(200, "ok");
    if (path === "/readyz") {
      const problem = await this.#components.problem();
      return problem === "" ? plain(200, "ok") : plain(500, `${problem}\n`);
    }
    return plain(404, "404 page not found\n");
  }
}
