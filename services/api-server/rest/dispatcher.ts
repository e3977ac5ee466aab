import type { TLSSocket } from "node:tls";
import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Random } from "../../../lib/core/random.ts";
import {
  asStatusError,
  badRequest,
  StatusError,
  tooManyRequests,
  unauthorized,
} from "../../../lib/core/status-error.ts";
import { ANONYMOUS, type Authenticator } from "../auth/authenticator.ts";
import type { AuthorizerList } from "../auth/authorizer.ts";
import { impersonated } from "../auth/impersonation.ts";
import type { Answers } from "./answers.ts";
import { ClientGone, type Exchange } from "./exchange.ts";
import type { ApiMetrics, RequestLabels } from "./metrics.ts";
import { type Format, negotiate } from "./negotiation.ts";
import { parsePath, type RequestPath } from "./request-path.ts";
import type { ResourceHandler } from "./resource-handler.ts";
import type { SystemHandler } from "./system-handler.ts";

export interface DispatcherComponents {
  readonly authenticator: Authenticator;
  readonly authorizers: AuthorizerList;
  readonly resources: ResourceHandler;
  readonly system: SystemHandler;
  readonly answers: Answers;
  readonly metrics: ApiMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface DispatcherOptions {
  /** Requests that are answered at once; more get 429. Watches and logs do not count. */
  readonly maxReadsInFlight: number;
  readonly maxWritesInFlight: number;
  /** Longest time for an answer that is no watch and no log; default 60 s. */
  readonly requestTimeoutMs?: number;
}

const defaultDispatcherOptions: DispatcherOptions = { maxReadsInFlight: 1200, maxWritesInFlight: 600 };
const REQUEST_TIMEOUT_MS = 60_000;
const NO_LABELS = { group: "", version: "", resource: "", subresource: "", scope: "" };
const KNOWN_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** What every request goes through before and after its handler. */
export class Dispatcher {
  readonly #components: DispatcherComponents;
  readonly #options: DispatcherOptions;
  readonly #inFlight = { readOnly: 0, mutating: 0 };

  constructor(components: DispatcherComponents, options: DispatcherOptions = defaultDispatcherOptions) {
    this.#components = components;
    this.#options = options;
  }

  /** Never rejects. */
  async serve(exchange: Exchange, socket: TLSSocket): Promise<void> {
    const { clock, random, metrics } = this.#components;
    const startMs = clock.monotonicMs();
    exchange.setHeader("audit-id", random.uuid());
    exchange.setHeader("cache-control", "no-cache, private");
    let labels: RequestLabels = { ...NO_LABELS, verb: KNOWN_METHODS.has(exchange.method) ? exchange.method : "OTHER" };
    try {
      checkUpgrade(exchange);
      const path = parsePath(exchange.rawPath);
      labels = this.#labelsOf(exchange, path, labels);
      const isLong = labels.verb === "WATCH" || labels.subresource === "log";
      const isExempt = isLong || (path.type === "other" && this.#components.system.isOpen(path.path));
      await this.#limited(exchange, isExempt, () => this.#route(exchange, path, socket));
    } catch (error) {
      await this.#fail(exchange, error);
    }
    metrics.answered(labels, exchange.response.statusCode, clock.monotonicMs() - startMs);
  }

  async #route(exchange: Exchange, path: RequestPath, socket: TLSSocket): Promise<void> {
    const { authenticator, authorizers, resources, system } = this.#components;
    const sent = await authenticator.authenticate(socket, exchange.headers.authorization);
    if (sent === undefined && !(await this.#isOpen(exchange, path))) throw unauthorized();
    const identity = await impersonated(sent ?? ANONYMOUS, exchange.request.rawHeaders, authorizers);
    if (path.type === "other") return await system.handle(exchange, path.path, identity);
    await resources.handle(exchange, path, identity);
  }

  /** What anybody may ask who shows no credentials. */
  async #isOpen({ method }: Exchange, path: RequestPath): Promise<boolean> {
    if (path.type === "other") return this.#components.system.isOpen(path.path);
    const isGet = method === "GET" && path.name !== "";
    return (
      isGet && (await this.#components.authorizers.isAllowed({ ...path, identity: ANONYMOUS, verb: "get", path: "" }))
    );
  }

  async #limited(exchange: Exchange, isExempt: boolean, work: () => Promise<void>): Promise<void> {
    if (isExempt) return await work();
    const { clock, metrics } = this.#components;
    const kind = exchange.method === "GET" || exchange.method === "HEAD" ? "readOnly" : "mutating";
    const limit = kind === "readOnly" ? this.#options.maxReadsInFlight : this.#options.maxWritesInFlight;
    if (this.#inFlight[kind] >= limit) {
      metrics.rejected();
      throw tooManyRequests("The apiserver is at its limit of requests in flight. Please try again later.", 1);
    }
    this.#inFlight[kind]++;
    metrics.begin(kind);
    const late = new AbortController();
    const timeout = clock.sleep(this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS, late.signal).then(
      () => {
        const error = timedOut();
        exchange.abort(error);
        throw error;
      },
      () => {},
    );
    try {
      // What is late may still happen; nobody waits for it any more.
      await Promise.race([work(), timeout]);
    } finally {
      late.abort();
      this.#inFlight[kind]--;
      metrics.end(kind);
    }
  }

  #labelsOf(exchange: Exchange, path: RequestPath, otherwise: RequestLabels): RequestLabels {
    if (path.type === "other" || !this.#components.resources.serves(path)) return otherwise;
    const verb = this.#components.resources.verbOf(exchange, path) ?? otherwise.verb;
    const { group, version, resource } = path;
    const subresource = this.#components.resources.hasSubresource(path) ? path.subresource : "";
    const scope = path.name !== "" ? "resource" : path.namespace !== "" ? "namespace" : "cluster";
    return { verb: verb.toUpperCase(), group, version, resource, subresource, scope };
  }

  async #fail(exchange: Exchange, thrown: unknown): Promise<void> {
    const { answers, log } = this.#components;
    if (thrown instanceof ClientGone || exchange.response.destroyed) return;
    if (exchange.signal.aborted && exchange.signal.reason instanceof ClientGone) return;
    const error = asStatusError(thrown);
    if (error.code >= 500 && error.cause !== undefined) {
      log.error("request failed", { method: exchange.method, path: exchange.rawPath, error: describe(error.cause) });
    }
    if (exchange.response.headersSent) {
      exchange.response.destroy();
      return;
    }
    if (error.code === 408) exchange.setHeaderOfHttp1("connection", "close");
    else if (!exchange.request.complete) exchange.discardRest(this.#components.clock);
    if (error.code === 401) exchange.setHeader("www-authenticate", 'Bearer realm="kubernetes"');
    await answers.error(exchange, error, errorFormat(exchange)).catch(() => exchange.response.destroy());
  }
}

/** Protocols that streams of the API speak; a request to change to another one is a mistake. */
const UPGRADES = new Set(["websocket", "spdy/3.1"]);

function checkUpgrade(exchange: Exchange): void {
  const wanted = exchange.headers.upgrade;
  if (wanted === undefined || UPGRADES.has(wanted.toLowerCase())) return;
  throw badRequest(`unable to upgrade: unknown protocol ${JSON.stringify(wanted)}`);
}

function timedOut(): StatusError {
  return new StatusError(504, "Timeout", "the request did not complete in time", { retryAfterSeconds: 1 });
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
