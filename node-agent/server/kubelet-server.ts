import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { DetailedPeerCertificate, SecureContextOptions, TLSSocket } from "node:tls";
import type { Clock } from "../../lib/core/clock.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { PodSource } from "../pods/pod-source.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { serveContainerLogs } from "./container-logs.ts";
import { HttpError, pathSegments } from "./http-error.ts";
import { metricsText } from "./node-metrics.ts";

export interface ServingIdentity {
  readonly certPem: string;
  readonly keyPem: string;
  /** Who signs the certificates of clients. */
  readonly clientCaPem: string;
  /** Common names that may ask beside the group `system:masters`; the api-server's client identity. */
  readonly allowedNames?: readonly string[];
}

export interface KubeletServerComponents {
  readonly runtime: Runtime;
  readonly source: PodSource;
  readonly clock: Clock;
  readonly log: Log;
}

const MASTERS = "system:masters";
/** Names under which api-servers are known to ask. */
const DEFAULT_NAMES = ["kube-apiserver-kubelet-client", "system:kube-apiserver", "api-server"];
const HANDSHAKE_LIMIT_MS = 10_000;
const HEADERS_LIMIT_MS = 10_000;

/** The node's own HTTPS API, for the api-server: every request needs a client certificate that is allowed (RELIABILITY §5.5). */
export class KubeletServer implements Startable {
  readonly #components: KubeletServerComponents;
  readonly #options: ServingIdentity & { host: string; port: number };
  readonly #server: Server;
  readonly #stopped = new AbortController();

  constructor(components: KubeletServerComponents, options: ServingIdentity & { host: string; port: number }) {
    this.#components = components;
    this.#options = options;
    this.#server = createServer({
      ...this.#secureContext(options),
      requestCert: true,
      // A client without a certificate gets a 401 that it can read, not a broken handshake.
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_LIMIT_MS,
      headersTimeout: HEADERS_LIMIT_MS,
    });
    this.#server.on("request", (request, response) => void this.#serve(request, response));
  }

  /** Connections that are made from now on see this certificate. */
  renewCertificate(pair: KeyPair): void {
    this.#server.setSecureContext(this.#secureContext(pair));
  }

  #secureContext({ certPem, keyPem }: KeyPair): SecureContextOptions {
    return { cert: certPem, key: keyPem, ca: this.#options.clientCaPem, minVersion: "TLSv1.2" };
  }

  get port(): number {
    const address = this.#server.address() as AddressInfo | string | null;
    return typeof address === "object" && address !== null ? address.port : 0;
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
    this.#stopped.abort();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    try {
      this.#authorize(request.socket as TLSSocket);
      await this.#route(request, response, AbortSignal.any([gone.signal, this.#stopped.signal]));
    } catch (thrown) {
      const known = thrown instanceof HttpError;
      if (!known) this.#components.log.error("node API failed", { path: request.url, error: thrown });
      if (response.headersSent) response.destroy();
      else send(response, known ? thrown.status : 500, known ? thrown.message : "internal error");
    }
  }

  #authorize(socket: TLSSocket): void {
    if (!socket.authorized) throw new HttpError(401, "Unauthorized");
    const { subject } = socket.getPeerCertificate() as DetailedPeerCertificate;
    const groups: unknown = subject?.O;
    const isMaster = Array.isArray(groups) ? groups.includes(MASTERS) : groups === MASTERS;
    const isKnown = (this.#options.allowedNames ?? DEFAULT_NAMES).includes(String(subject?.CN));
    if (!isMaster && !isKnown) throw new HttpError(403, `Forbidden (user=${subject?.CN})`);
  }

  async #route(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const url = request.url ?? "/";
    const [path = "/", query = ""] = url.split("?", 2);
    const [first, ...rest] = pathSegments(path);
    if (request.method !== "GET") throw new HttpError(405, "Method Not Allowed");
    if (first === "healthz" && rest.length <= 1) send(response, 200, "ok");
    else if (first === "metrics" && rest.length === 0) send(response, 200, metricsText(this.#components.source));
    else if (first === "pods" && rest.length === 0) {
      const items = this.#components.source.list();
      send(response, 200, toJson({ kind: "PodList", apiVersion: "v1", metadata: {}, items }), "application/json");
    } else if (first === "containerLogs" && rest.length === 3) {
      const [namespace = "", pod = "", container = ""] = rest;
      const options = { namespace, pod, container, query: new URLSearchParams(query) };
      await serveContainerLogs(this.#components, options, response, signal);
    } else throw new HttpError(404, "404 page not found");
  }
}

function send(response: ServerResponse, status: number, body: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? Number(inner) : inner));
}
