import { pipeline } from "node:stream/promises";
import type { Clock } from "../../../lib/core/clock.ts";
import { methodNotSupported, pageNotFound, unsupportedMediaType } from "../../../lib/core/status-error.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { Body, Call, Identity, PatchBody, RequestVerb, Target } from "../core/request.ts";
import type { ResourceCore } from "../core/resource-core.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import type { PodLog } from "../subresources/pod-log.ts";
import type { Answers } from "./answers.ts";
import type { Exchange } from "./exchange.ts";
import { type Accepted, negotiate, parseClause } from "./negotiation.ts";
import { deleteRequestOf, isTrue, listRequestOf, watchRequestOf, writeOptionsOf } from "./query-options.ts";
import type { RequestPath } from "./request-path.ts";
import { WatchStream } from "./watch-stream.ts";

export interface ResourceHandlerComponents {
  readonly core: ResourceCore;
  readonly kinds: KindTable;
  readonly answers: Answers;
  readonly statusCodec: StatusCodec;
  readonly podLog: PodLog;
  readonly clock: Clock;
}

type ResourcePath = Extract<RequestPath, { type: "resource" }>;

/** Requests about resources: from path, query and headers to the core, and its answers back. */
export class ResourceHandler {
  readonly #components: ResourceHandlerComponents;

  constructor(components: ResourceHandlerComponents) {
    this.#components = components;
  }

  /** What the request is, for metrics and limits, before anything is done. */
  verbOf(exchange: Exchange, path: ResourcePath): RequestVerb | undefined {
    const isCollection = path.name === "";
    switch (exchange.method) {
      case "GET":
      case "HEAD":
        if (path.isWatchPath || isTrue(exchange.query.get("watch"))) return path.subresource === "" ? "watch" : "get";
        return isCollection ? "list" : "get";
      case "POST":
        return isCollection || path.subresource !== "" ? "create" : undefined;
      case "PUT":
        return isCollection ? undefined : "update";
      case "PATCH":
        return isCollection ? undefined : "patch";
      case "DELETE":
        return isCollection ? "deletecollection" : "delete";
      default:
        return undefined;
    }
  }

  serves(path: ResourcePath): boolean {
    return this.#components.kinds.find(path.group, path.version, path.resource) !== undefined;
  }

  hasSubresource(path: ResourcePath): boolean {
    const kind = this.#components.kinds.find(path.group, path.version, path.resource);
    return kind?.definition.subresources.some(({ name }) => name === path.subresource) ?? false;
  }

  async handle(exchange: Exchange, path: ResourcePath, identity: Identity): Promise<void> {
    const target = this.targetOf(path);
    const verb = this.verbOf(exchange, path);
    const { definition } = target.kind;
    if (verb === undefined)
      throw methodNotSupported(
        { group: definition.group, resource: definition.resource },
        exchange.method.toLowerCase(),
      );
    const call: Call = { identity, signal: exchange.signal, warnings: exchange.warnings };
    const { core, answers } = this.#components;
    switch (verb) {
      case "get": {
        if (target.subresource === "log") return await this.#log(exchange, target, call);
        const accepted = acceptedOf(exchange, target);
        const answer = await core.get(target, exchange.query.get("resourceVersion") ?? "", call);
        return await answers.object(exchange, answer, accepted);
      }
      case "list": {
        const accepted = acceptedOf(exchange, target);
        return await answers.list(
          exchange,
          target.kind,
          await core.list(target, listRequestOf(exchange.query), call),
          accepted,
        );
      }
      case "watch":
        return await this.#watch(exchange, target, call);
      case "delete":
      case "deletecollection":
        return await this.#delete(exchange, target, verb, call);
      default:
        return await this.#write(exchange, target, verb, call);
    }
  }

  targetOf(path: ResourcePath): Target {
    const kind = this.#components.kinds.find(path.group, path.version, path.resource);
    if (kind === undefined || path.rest.length > 0) throw pageNotFound();
    if (!kind.definition.namespaced && path.namespace !== "") throw pageNotFound();
    const { namespace, name, subresource } = path;
    if (kind.definition.namespaced && namespace === "" && name !== "") throw pageNotFound();
    return { kind, namespace, name, subresource };
  }

  async #watch(exchange: Exchange, target: Target, call: Call): Promise<void> {
    const { core, clock, statusCodec } = this.#components;
    const accepted = acceptedOf(exchange, target);
    const items = await core.watch(target, watchRequestOf(exchange.query), call);
    const format = accepted.format === "yaml" ? "json" : accepted.format;
    const stream = new WatchStream(
      { clock, statusCodec },
      { kind: target.kind, accepted: { ...accepted, format }, exchange },
    );
    await stream.write(items);
  }

  async #log(exchange: Exchange, target: Target, call: Call): Promise<void> {
    const { core, podLog } = this.#components;
    await core.authorize("get", target, call);
    const pod = await core.find(target);
    const source = await podLog.open(target, pod, exchange.query, call.signal);
    const response = exchange.response as import("node:http").ServerResponse;
    response.setHeader("content-type", "text/plain");
    response.writeHead(200);
    if (source === undefined) {
      response.end();
      return;
    }
    response.flushHeaders();
    await pipeline(source, response);
  }

  async #write(exchange: Exchange, target: Target, verb: "create" | "update" | "patch", call: Call): Promise<void> {
    const { core, answers, clock } = this.#components;
    const accepted = acceptedOf(exchange, target);
    const userAgent = exchange.headers["user-agent"];
    if (verb === "patch") {
      const type = patchTypeOf(exchange);
      const options = writeOptionsOf(exchange.query, type === "apply" ? undefined : userAgent);
      await core.authorize(verb, target, call);
      const answer = await core.patch(target, { type, patch: await exchange.body(clock) }, options, call);
      return await answers.object(exchange, answer, accepted);
    }
    if (verb === "create" && target.kind.definition.namespaced && target.namespace === "") {
      throw methodNotSupported(
        { group: target.kind.definition.group, resource: target.kind.definition.resource },
        "create",
      );
    }
    const options = writeOptionsOf(exchange.query, userAgent);
    const encoding = encodingOf(exchange);
    await core.authorize(verb, target, call);
    const body: Body = { bytes: await exchange.body(clock), encoding };
    const answer = await core[verb](target, body, options, call);
    await answers.object(exchange, answer, accepted);
  }

  async #delete(exchange: Exchange, target: Target, verb: "delete" | "deletecollection", call: Call): Promise<void> {
    const { core, answers, clock } = this.#components;
    const accepted = acceptedOf(exchange, target);
    const list = listRequestOf(exchange.query);
    await core.authorize(verb, target, call, verb === "delete" ? undefined : list.selectors);
    const bytes = await exchange.body(clock);
    const body = bytes.length === 0 ? undefined : { bytes, encoding: encodingOf(exchange) };
    const request = deleteRequestOf(exchange.query, body, core);
    if (verb === "delete") return await answers.object(exchange, await core.delete(target, request, call), accepted);
    const deleted = await core.deleteCollection(target, list, request, call);
    await answers.list(exchange, target.kind, deleted, accepted);
  }
}

function acceptedOf(exchange: Exchange, target: Target): Accepted {
  return negotiate(exchange.headers.accept, target.subresource === "" || target.subresource === "status");
}

const ENCODINGS: Readonly<Record<string, "json" | "yaml" | "protobuf">> = {
  "": "json",
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
};

function encodingOf(exchange: Exchange): "json" | "yaml" | "protobuf" {
  const { type } = parseClause(exchange.headers["content-type"] ?? "");
  const encoding = Object.hasOwn(ENCODINGS, type) ? ENCODINGS[type] : undefined;
  if (encoding === undefined) throw unsupportedMediaType(Object.keys(ENCODINGS).filter((name) => name !== ""));
  return encoding;
}

const PATCH_TYPES: Readonly<Record<string, PatchBody["type"]>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

function patchTypeOf(exchange: Exchange): PatchBody["type"] {
  const { type } = parseClause(exchange.headers["content-type"] ?? "");
  const patchType = Object.hasOwn(PATCH_TYPES, type) ? PATCH_TYPES[type] : undefined;
  if (patchType === undefined) throw unsupportedMediaType(Object.keys(PATCH_TYPES));
  return patchType;
}
