import { pipeline } from "node:stream/promises";
import { constants, createGzip, gzip } from "node:zlib";
import type { Clock } from "../../../lib/core/clock.ts";
import type { StatusError } from "../../../lib/core/status-error.ts";
import type { Codec } from "../../../lib/resource/codec/codec.ts";
import { indentJson, jsonToYaml } from "../../../lib/resource/codec/readable-text.ts";
import { partialObject } from "../../../lib/resource/table/partial-object.ts";
import { encodeTable, tableOf } from "../../../lib/resource/table/table.ts";
import type { Answer } from "../core/answer.ts";
import type { KubeObject } from "../core/kube-object.ts";
import type { ListAnswer } from "../core/reader.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import type { ServedKind } from "../core/stored-kind.ts";
import type { Exchange } from "./exchange.ts";
import { estimatedBytes, jsonListChunks, type ListMeta, listMeta, protobufListChunks } from "./list-body.ts";
import { type Accepted, type Format, MEDIA_TYPES } from "./negotiation.ts";

/** As upstream: smaller answers are not worth the work. */
const GZIP_FROM_BYTES = 128 * 1024;
const STREAM_FROM_BYTES = 512 * 1024;

/** Writes answers in the encoding and shape that the client accepts. */
export class Answers {
  readonly #codec: Codec;
  readonly #statusCodec: StatusCodec;
  readonly #clock: Clock;

  constructor(components: { codec: Codec; statusCodec: StatusCodec; clock: Clock }) {
    this.#codec = components.codec;
    this.#statusCodec = components.statusCodec;
    this.#clock = components.clock;
  }

  async object(exchange: Exchange, answer: Answer, accepted: Accepted): Promise<void> {
    const { view } = answer;
    if (accepted.shape !== "object" && view.object.kind !== "Status") {
      const text = shapedObject(view.kind, view.object, accepted, exchange, this.#clock);
      return await this.#text(exchange, answer.code, text, accepted.format);
    }
    if (accepted.format === "protobuf") {
      return await this.bytes(exchange, answer.code, MEDIA_TYPES.protobuf, view.protobuf());
    }
    if (accepted.format === "json" && !wantsPretty(exchange)) {
      return await this.bytes(exchange, answer.code, MEDIA_TYPES.json, view.json());
    }
    await this.#text(exchange, answer.code, Buffer.from(view.json()).toString("utf8"), accepted.format);
  }

  async list(exchange: Exchange, kind: ServedKind, list: ListAnswer, accepted: Accepted): Promise<void> {
    const { format, shape } = accepted;
    if (shape !== "object") {
      return await this.#text(exchange, 200, shapedList(kind, list, accepted, exchange, this.#clock), format);
    }
    if (format === "protobuf")
      return await this.#stream(exchange, list, format, protobufListChunks(kind, list, this.#codec, this.#clock));
    const chunks = jsonListChunks(kind, list, this.#clock);
    if (format === "json" && !wantsPretty(exchange)) return await this.#stream(exchange, list, format, chunks);
    await this.#text(exchange, 200, (await whole(chunks)).toString("utf8"), format);
  }

  /** A small list goes out in one piece, with its length; a large one as fast as the client takes it. */
  async #stream(
    exchange: Exchange,
    list: ListAnswer,
    format: Format,
    chunks: AsyncGenerator<Uint8Array>,
  ): Promise<void> {
    if (estimatedBytes(list) < STREAM_FROM_BYTES) {
      return await this.bytes(exchange, 200, MEDIA_TYPES[format], await whole(chunks));
    }
    exchange.setHeader("content-type", MEDIA_TYPES[format]);
    const response = exchange.response as import("node:http").ServerResponse;
    if (exchange.method === "HEAD" || !acceptsGzip(exchange)) {
      response.writeHead(200);
      if (exchange.method === "HEAD") response.end();
      else await pipeline(chunks, response);
      return;
    }
    exchange.setHeader("content-encoding", "gzip");
    exchange.setHeader("vary", "Accept-Encoding");
    response.writeHead(200);
    await pipeline(chunks, createGzip({ level: constants.Z_BEST_SPEED }), response);
  }

  async error(exchange: Exchange, error: StatusError, format: Format): Promise<void> {
    const status = error.toStatus();
    if (error.details?.retryAfterSeconds !== undefined) {
      exchange.setHeader("retry-after", String(error.details.retryAfterSeconds));
    }
    if (format === "protobuf") {
      return await this.bytes(exchange, error.code, MEDIA_TYPES.protobuf, this.#statusCodec.protobuf(status));
    }
    await this.#text(exchange, error.code, JSON.stringify(status), format);
  }

  /** Any JSON document: discovery, OpenAPI, version. */
  async json(exchange: Exchange, text: string, mediaType = MEDIA_TYPES.json): Promise<void> {
    await this.bytes(exchange, 200, mediaType, Buffer.from(wantsPretty(exchange) ? indentJson(text) : text));
  }

  async bytes(exchange: Exchange, code: number, mediaType: string, bytes: Uint8Array): Promise<void> {
    for (const warning of exchange.warnings.slice(0, 50)) {
      exchange.response.appendHeader("warning", `299 - ${JSON.stringify(warning.replaceAll(/[^\x20-\x7e]/g, "?"))}`);
    }
    exchange.setHeader("content-type", mediaType);
    const body = await this.#compressed(exchange, bytes);
    exchange.setHeader("content-length", String(body.length));
    const response = exchange.response as import("node:http").ServerResponse;
    response.writeHead(code);
    response.end(exchange.method === "HEAD" ? undefined : body);
  }

  async #compressed(exchange: Exchange, bytes: Uint8Array): Promise<Uint8Array> {
    if (bytes.length < GZIP_FROM_BYTES || !acceptsGzip(exchange)) return bytes;
    exchange.setHeader("content-encoding", "gzip");
    exchange.setHeader("vary", "Accept-Encoding");
    return await new Promise((resolve, reject) => {
      gzip(bytes, { level: constants.Z_BEST_SPEED }, (error, result) =>
        error === null ? resolve(result) : reject(error),
      );
    });
  }

  async #text(exchange: Exchange, code: number, json: string, format: Format): Promise<void> {
    if (format === "yaml") {
      return await this.bytes(exchange, code, MEDIA_TYPES.yaml, Buffer.from(jsonToYaml(json)));
    }
    await this.bytes(exchange, code, MEDIA_TYPES.json, Buffer.from(wantsPretty(exchange) ? indentJson(json) : json));
  }
}

function acceptsGzip(exchange: Exchange): boolean {
  return /(^|[,\s])gzip(\s*(;\s*q=(?!0(\.0*)?\s*(,|$)))|\s*(,|$))/.test(
    String(exchange.headers["accept-encoding"] ?? ""),
  );
}

function wantsPretty(exchange: Exchange): boolean {
  const value = exchange.query.get("pretty");
  return value !== null && value !== "false" && value !== "0";
}

async function whole(chunks: AsyncGenerator<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all.length === 1 ? Buffer.from(all[0]!.buffer, all[0]!.byteOffset, all[0]!.length) : Buffer.concat(all);
}

function shapedObject(
  kind: ServedKind,
  object: KubeObject,
  accepted: Accepted,
  exchange: Exchange,
  clock: Clock,
): string {
  if (accepted.shape === "metadata") return JSON.stringify(partialObject(object));
  const version = object.metadata?.resourceVersion;
  return tableText(kind, [object], version === undefined ? {} : { resourceVersion: version }, exchange, clock);
}

function shapedList(kind: ServedKind, list: ListAnswer, accepted: Accepted, exchange: Exchange, clock: Clock): string {
  const objects = list.items.map((item) => item.object(kind));
  if (accepted.shape === "table") return tableText(kind, objects, listMeta(list), exchange, clock);
  const items = objects.map((object) => JSON.stringify(partialObject(object)));
  const meta = JSON.stringify(listMeta(list));
  return `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":${meta},"items":[${items.join(",")}]}`;
}

/** A table; `includeObject` says what each row carries beside its cells. */
export function tableText(
  kind: ServedKind,
  objects: readonly KubeObject[],
  metadata: Partial<ListMeta>,
  exchange: Exchange,
  clock: Clock,
  withColumns = true,
): string {
  const include = exchange.query.get("includeObject") ?? "Metadata";
  const objectText = (object: object): string => {
    if (include === "None") return "null";
    return include === "Object"
      ? Buffer.from(kind.encodeJson(object as KubeObject)).toString("utf8")
      : JSON.stringify(partialObject(object));
  };
  return encodeTable(tableOf(kind.definition, objects, metadata, { nowMs: clock.nowMs(), objectText }), withColumns);
}
