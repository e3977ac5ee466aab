import type { Clock } from "../../../lib/core/clock.ts";
import { partialObject } from "../../../lib/resource/table/partial-object.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import { bookmarkObject } from "../core/bookmark.ts";
import type { KubeObject } from "../core/kube-object.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import type { ServedKind } from "../core/stored-kind.ts";
import type { WatchItem } from "../core/watcher.ts";
import { tableText } from "./answers.ts";
import type { Exchange } from "./exchange.ts";
import { type Accepted, MEDIA_TYPES } from "./negotiation.ts";

/** Writes the items of a watch as a stream of frames, as fast as the client reads. */
export class WatchStream {
  readonly #kind: ServedKind;
  readonly #accepted: Accepted;
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  readonly #statusCodec: StatusCodec;
  #sentColumns = false;

  constructor(
    components: { clock: Clock; statusCodec: StatusCodec },
    options: { kind: ServedKind; accepted: Accepted; exchange: Exchange },
  ) {
    this.#clock = components.clock;
    this.#statusCodec = components.statusCodec;
    this.#kind = options.kind;
    this.#accepted = options.accepted;
    this.#exchange = options.exchange;
  }

  async write(batches: AsyncIterableIterator<readonly WatchItem[]>): Promise<void> {
    const response = this.#exchange.response as import("node:http").ServerResponse;
    const isProtobuf = this.#accepted.format === "protobuf";
    response.setHeader("content-type", isProtobuf ? `${MEDIA_TYPES.protobuf};stream=watch` : MEDIA_TYPES.json);
    response.writeHead(200);
    response.flushHeaders();
    for await (const batch of batches) {
      const frames = batch.map((item) => (isProtobuf ? this.#protobufFrame(item) : this.#jsonFrame(item)));
      const bytes = frames.length === 1 ? frames[0] : Buffer.concat(frames);
      if (!response.write(bytes)) await drained(response, this.#exchange.signal);
      if (this.#exchange.signal.aborted) return;
    }
    response.end();
  }

  #jsonFrame(item: WatchItem): Uint8Array {
    const make = (): Uint8Array =>
      Buffer.concat([Buffer.from(`{"type":"${item.type}","object":`), this.#json(item), END_OF_FRAME]);
    return this.#isShared(item) ? item.object.frame(this.#kind, `json ${item.type}`, make) : make();
  }

  /** Whether every watcher with this format gets the same bytes. */
  #isShared(item: WatchItem): item is Extract<WatchItem, { object: CachedObject }> {
    return this.#accepted.shape === "object" && item.type !== "ERROR" && item.type !== "BOOKMARK";
  }

  #json(item: WatchItem): Uint8Array {
    if (item.type === "ERROR") return this.#statusCodec.json(item.error.toStatus());
    if (this.#accepted.shape === "object" && item.type !== "BOOKMARK") return item.object.json(this.#kind);
    const object = this.#objectOf(item);
    if (this.#accepted.shape === "object") return this.#kind.encodeJson(object);
    if (this.#accepted.shape === "metadata") return Buffer.from(JSON.stringify(partialObject(object)));
    return Buffer.from(this.#table(item, object));
  }

  #table(item: WatchItem, object: KubeObject): string {
    const version = object.metadata?.resourceVersion ?? "";
    const rows = item.type === "BOOKMARK" ? [] : [object];
    const withColumns = !this.#sentColumns;
    this.#sentColumns = true;
    return tableText(this.#kind, rows, { resourceVersion: version }, this.#exchange, this.#clock, withColumns);
  }

  #objectOf(item: Exclude<WatchItem, { type: "ERROR" }>): KubeObject {
    return item.type === "BOOKMARK" ? bookmarkObject(item, this.#kind) : item.object.object(this.#kind);
  }

  /** meta/v1 WatchEvent, without an envelope of its own, after its length in four bytes. */
  #protobufFrame(item: WatchItem): Uint8Array {
    const make = (): Uint8Array => {
      const object = this.#protobuf(item);
      const type = Buffer.from(item.type);
      const raw = Buffer.concat([Buffer.of(0x0a), varint(object.length)]);
      const head = Buffer.concat([
        Buffer.of(0x0a, type.length),
        type,
        Buffer.of(0x12),
        varint(raw.length + object.length),
        raw,
      ]);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(head.length + object.length);
      return Buffer.concat([length, head, object]);
    };
    return this.#isShared(item) ? item.object.frame(this.#kind, `protobuf ${item.type}`, make) : make();
  }

  #protobuf(item: WatchItem): Uint8Array {
    if (item.type === "ERROR") return this.#statusCodec.protobuf(item.error.toStatus());
    if (item.type !== "BOOKMARK") return item.object.protobuf(this.#kind);
    return this.#kind.encodeProtobuf(bookmarkObject(item, this.#kind));
  }
}

const END_OF_FRAME = Buffer.from("}\n");

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left > 0x7f) {
    bytes.push((left & 0x7f) | 0x80);
    left = Math.floor(left / 128);
  }
  bytes.push(left);
  return Buffer.from(bytes);
}

async function drained(response: import("node:http").ServerResponse, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.on("drain", done);
    signal.addEventListener("abort", done, { once: true });
  });
}
