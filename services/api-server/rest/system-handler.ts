import { setImmediate } from "node:timers/promises";
import { notAcceptable, pageNotFound } from "../../../lib/core/status-error.ts";
import type { Discovery } from "../../../lib/resource/discovery/discovery.ts";
import type { Document } from "../../../lib/resource/document.ts";
import type { OpenApi } from "../../../lib/resource/openapi/openapi.ts";
import { acceptsV2Protobuf, V2_PROTOBUF_TYPE } from "../../../lib/resource/openapi/v2-protobuf.ts";
import type { AuthorizerList } from "../auth/authorizer.ts";
import type { Identity } from "../core/request.ts";
import type { Answers } from "./answers.ts";
import type { Exchange } from "./exchange.ts";
import type { Health } from "./health.ts";
import type { ApiMetrics } from "./metrics.ts";

export interface SystemHandlerComponents {
  readonly answers: Answers;
  readonly authorizers: AuthorizerList;
  readonly discovery: Discovery;
  readonly health: Health;
  readonly metrics: ApiMetrics;
  readonly openApi: OpenApi;
}

/** The release of Kubernetes whose API this is. */
export const VERSION = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.3+keelson",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2026-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: `linux/${process.arch === "x64" ? "amd64" : process.arch}`,
};

/** Trees that anybody may see (KEP-4633). */
const OPEN_TREES = ["healthz", "livez", "readyz", "version"];

/** Everything that is no resource: discovery, OpenAPI, version, health, metrics. */
export class SystemHandler {
  readonly #components: SystemHandlerComponents;
  #preparing: Promise<void> | undefined;

  constructor(components: SystemHandlerComponents) {
    this.#components = components;
  }

  isOpen(path: string): boolean {
    return OPEN_TREES.includes(path.split("/")[1] ?? "");
  }

  async handle(exchange: Exchange, path: string, identity: Identity): Promise<void> {
    const { answers, authorizers, health, metrics } = this.#components;
    if (!this.isOpen(path)) {
      const verb = exchange.method === "GET" ? "get" : exchange.method.toLowerCase();
      const nothing = { group: "", resource: "", subresource: "", namespace: "", name: "" };
      await authorizers.check({ identity, verb, path, ...nothing });
    }
    if (exchange.method !== "GET" && exchange.method !== "HEAD") throw pageNotFound();
    if (path === "/version") return await answers.json(exchange, JSON.stringify(VERSION, undefined, 2));
    if (path === "/metrics") {
      return await answers.bytes(exchange, 200, metrics.contentType, Buffer.from(await metrics.text()));
    }
    if (path === "/") return await answers.json(exchange, JSON.stringify({ paths: this.#paths() }));
    const healthAnswer = await health.answer(path.slice(1), exchange.query);
    if (healthAnswer !== undefined) {
      return await answers.bytes(
        exchange,
        healthAnswer.code,
        "text/plain; charset=utf-8",
        Buffer.from(healthAnswer.text),
      );
    }
    await this.#document(exchange, path);
  }

  async #document(exchange: Exchange, path: string): Promise<void> {
    const accept = exchange.headers.accept ?? "";
    if (path.startsWith("/openapi/")) await this.#openApiReady();
    const document = this.#components.discovery.answer(path, accept) ?? this.#openApi(path, accept);
    if (document === undefined) throw pageNotFound();
    const isJson = document.contentType !== V2_PROTOBUF_TYPE;
    if (isJson && accept !== "" && !/(application|\*)\/(json|\*)/.test(accept))
      throw notAcceptable(["application/json"]);
    exchange.setHeader("vary", "Accept");
    exchange.setHeader("etag", document.etag);
    const asked = exchange.query.get("hash") ?? "";
    if (asked !== "") {
      if (`"${asked}"` !== document.etag) return redirect(exchange, `${path}?hash=${document.etag.slice(1, -1)}`);
      // The address holds the hash of the content, so what it leads to never changes.
      exchange.setHeader("cache-control", "public, immutable");
    }
    await this.#sendDocument(exchange, document.etag, document.contentType, document.body);
  }

  /** The documents are made when somebody asks first, with other work between the steps. */
  #openApiReady(): Promise<void> {
    this.#preparing ??= (async () => {
      for (const _ of this.#components.openApi.prepare()) await setImmediate();
    })();
    return this.#preparing;
  }

  #openApi(path: string, accept: string): (Document & { readonly contentType: string }) | undefined {
    const { openApi } = this.#components;
    if (path === "/openapi/v2" && acceptsV2Protobuf(accept)) {
      return { ...openApi.v2Protobuf(), contentType: V2_PROTOBUF_TYPE };
    }
    const document = openApiDocument(openApi, path);
    return document === undefined ? undefined : { ...document, contentType: "application/json" };
  }

  async #sendDocument(exchange: Exchange, etag: string, contentType: string, body: Uint8Array): Promise<void> {
    if (exchange.headers["if-none-match"] === etag) {
      const response = exchange.response as import("node:http").ServerResponse;
      response.writeHead(304);
      response.end();
      return;
    }
    await this.#components.answers.bytes(exchange, 200, contentType, body);
  }

  #paths(): string[] {
    return [
      "/api",
      "/api/v1",
      "/apis",
      "/healthz",
      "/livez",
      "/metrics",
      "/openapi/v2",
      "/openapi/v3",
      "/readyz",
      "/version",
    ];
  }
}

function openApiDocument(openApi: OpenApi, path: string): Document | undefined {
  if (path === "/openapi/v2") return openApi.v2();
  if (path === "/openapi/v3") return openApi.index();
  return path.startsWith("/openapi/v3/") ? openApi.groupVersion(path.slice("/openapi/v3/".length)) : undefined;
}

function redirect(exchange: Exchange, location: string): void {
  const response = exchange.response as import("node:http").ServerResponse;
  response.writeHead(301, { location });
  response.end();
}
