import type { Clock } from "../../../lib/core/clock.ts";
import type { Codec } from "../../../lib/resource/codec/codec.ts";
import { apiVersionOf } from "../core/kind-table.ts";
import type { ListAnswer } from "../core/reader.ts";
import type { ServedKind } from "../core/stored-kind.ts";

export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** Bytes that are put together before they go to the socket. */
const CHUNK_BYTES = 64 * 1024;
/** Longest work on one list before others get their turn. */
const SLICE_MS = 4;

export function listMeta(list: ListAnswer): ListMeta {
  return {
    resourceVersion: String(list.revision),
    ...(list.continue === "" ? {} : { continue: list.continue }),
    ...(list.remaining === undefined ? {} : { remainingItemCount: list.remaining }),
  };
}

/** What the body will weigh, near enough to choose how it is sent. */
export function estimatedBytes(list: ListAnswer): number {
  let sizeBytes = 0;
  for (const item of list.items) sizeBytes += item.sizeBytes;
  return sizeBytes;
}

/** The body of a list in pieces, made of the bytes that every item has already; others get the loop between them. */
export async function* jsonListChunks(kind: ServedKind, list: ListAnswer, clock: Clock): AsyncGenerator<Uint8Array> {
  const { definition } = kind;
  const apiVersion = apiVersionOf(definition);
  const head = { kind: `${definition.kind}List`, apiVersion, metadata: listMeta(list) };
  // Items of a list have no kind and apiVersion of their own.
  const typeMetaBytes = Buffer.byteLength(`{"kind":"${definition.kind}","apiVersion":"${apiVersion}",`);
  const pieces = new Pieces(clock);
  pieces.push(Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`));
  for (const [index, item] of list.items.entries()) {
    pieces.push(index === 0 ? OPEN : COMMA_OPEN, item.json(kind).subarray(typeMetaBytes));
    if (pieces.sizeBytes >= CHUNK_BYTES) yield pieces.take();
    if (pieces.isTired()) await pieces.rest();
  }
  pieces.push(CLOSE);
  yield pieces.take();
}

/** The same in protobuf: the message of a list around the items' own messages, and the envelope around that. */
export async function* protobufListChunks(
  kind: ServedKind,
  list: ListAnswer,
  codec: Codec,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const { definition } = kind;
  if (definition.listSchema === undefined) throw new Error(`${definition.kind} has no list`);
  const pieces = new Pieces(clock);
  const items: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const item of list.items) {
    const { raw } = codec.decodeEnvelope(item.protobuf(kind));
    items.push(raw);
    sizeBytes += 1 + varintBytes(raw.length) + raw.length;
    if (pieces.isTired()) await pieces.rest();
  }
  const metadata = codec.encodeProtobuf(definition.listSchema, { metadata: listMeta(list) });
  const typeMeta = Buffer.concat([field(1, apiVersionOf(definition)), field(2, `${definition.kind}List`)]);
  pieces.push(Buffer.from("k8s\0"), tagged(0x0a, typeMeta.length), typeMeta);
  pieces.push(tagged(0x12, metadata.length + sizeBytes), metadata);
  for (const raw of items) {
    pieces.push(tagged(0x12, raw.length), raw);
    if (pieces.sizeBytes >= CHUNK_BYTES) yield pieces.take();
    if (pieces.isTired()) await pieces.rest();
  }
  // contentEncoding and contentType, both empty.
  pieces.push(Buffer.of(0x1a, 0, 0x22, 0));
  yield pieces.take();
}

const OPEN = Buffer.from("{");
const COMMA_OPEN = Buffer.from(",{");
const CLOSE = Buffer.from("]}");

/** Small buffers on their way into one, and the time that was spent on them. */
class Pieces {
  sizeBytes = 0;
  #pieces: Uint8Array[] = [];
  readonly #clock: Clock;
  #startMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  push(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.sizeBytes += piece.length;
    }
  }

  take(): Uint8Array {
    const taken = Buffer.concat(this.#pieces, this.sizeBytes);
    this.#pieces = [];
    this.sizeBytes = 0;
    return taken;
  }

  isTired(): boolean {
    return this.#clock.monotonicMs() - this.#startMs > SLICE_MS;
  }

  async rest(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#startMs = this.#clock.monotonicMs();
  }
}

function field(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([tagged((number << 3) | 2, bytes.length), bytes]);
}

function tagged(tag: number, length: number): Buffer {
  const bytes = [tag];
  let left = length;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Buffer.from(bytes);
}

function varintBytes(value: number): number {
  return tagged(0, value).length - 1;
}
