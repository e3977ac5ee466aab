import type { WatchCreateRequest, WatchRequest, WatchResponse } from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import { eventMessage, watchOf } from "../../../lib/store/etcd-messages.ts";
import type { StoreEvent, StoreWatch, StoreWatchBatch } from "../../../lib/store/store.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import { headerOf } from "./response-header.ts";

/** Says in an answer that it belongs to no watch: refusals, and progress of the whole stream. */
const NO_WATCH = -1n;
/** Size from which an answer is sent in fragments, to those who take fragments. */
const FRAGMENT_BYTES = 1.5 * 1024 * 1024;

interface Waiting {
  readonly response: WatchResponse;
  readonly taken: () => void;
}

interface OpenWatch {
  readonly watch: StoreWatch;
  /** Called when the progress asked for on the stream has come to this watch, or when it ends. */
  progressed: ((revision: number | undefined) => void) | undefined;
}

/**
 * The watches of one stream. Each is pumped into one queue, and takes its next batch only when the last was taken by
 * the stream: a slow client leaves its watches behind in the ring and costs no memory.
 */
export class WatchSession {
  readonly #store: SqliteStore;
  readonly #watches = new Map<bigint, OpenWatch>();
  #queue: Waiting[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #failure: RpcError | undefined;
  #nextId = 0n;

  constructor(store: SqliteStore) {
    this.#store = store;
  }

  /** Obeys requests until there are no more, which ends the session. */
  follow(requests: AsyncIterable<WatchRequest>): void {
    const run = async () => {
      for await (const { requestUnion } of requests) {
        if (requestUnion?.$case === "createRequest") this.#create(requestUnion.value);
        else if (requestUnion?.$case === "cancelRequest") this.#cancel(requestUnion.value.watchId);
        else if (requestUnion?.$case === "progressRequest") this.#progress();
      }
    };
    run().then(
      () => this.end(),
      (error: unknown) => {
        // A stream also breaks when the client goes away, which is an end like any other.
        if (error instanceof RpcError) this.#failure = error;
        this.end();
      },
    );
  }

  async *responses(): AsyncGenerator<WatchResponse> {
    while (!this.#ended) {
      const batch = this.#queue;
      this.#queue = [];
      for (const { response, taken } of batch) {
        yield response;
        taken();
      }
      if (this.#queue.length > 0 || this.#ended) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const { watch } of this.#watches.values()) watch.cancel();
    for (const { taken } of this.#queue) taken();
    this.#queue = [];
    this.#wake?.();
  }

  #create(request: WatchCreateRequest): void {
    if (request.watchId !== 0n && this.#watches.has(request.watchId)) {
      const reason = "mvcc: duplicate watch ID provided on the WatchStream";
      void this.#send({ ...this.#response(NO_WATCH), created: true, canceled: true, cancelReason: reason });
      return;
    }
    let id = request.watchId;
    if (id === 0n) {
      while (this.#watches.has(this.#nextId)) this.#nextId++;
      id = this.#nextId++;
    }
    const open: OpenWatch = { watch: this.#store.watch(watchOf(request)), progressed: undefined };
    this.#watches.set(id, open);
    this.#pump(id, open, request.fragment).catch(() => this.end());
  }

  #cancel(id: bigint): void {
    const open = this.#watches.get(id);
    this.#watches.delete(id);
    open?.watch.cancel();
    const cancelReason = open === undefined ? "mvcc: watcher not found" : "";
    void this.#send({ ...this.#response(id), canceled: true, cancelReason });
  }

  /** Answers once every watch of the stream has sent all events up to the revision that it names (invariant 12). */
  #progress(): void {
    const revisions = [...this.#watches.values()].map(
      (open) =>
        new Promise<number | undefined>((resolve) => {
          const earlier = open.progressed;
          open.progressed = (revision) => {
            earlier?.(revision);
            resolve(revision);
          };
          open.watch.requestProgress();
        }),
    );
    const now = this.#store.revision;
    void Promise.all(revisions).then((all) => {
      const reached = all.filter((revision) => revision !== undefined);
      return this.#send(this.#response(NO_WATCH, reached.length === 0 ? now : Math.min(...reached)));
    });
  }

  async #pump(id: bigint, open: OpenWatch, fragment: boolean): Promise<void> {
    for await (const batch of open.watch) {
      if (this.#ended) break;
      if (batch.type === "progress" && open.progressed !== undefined) {
        open.progressed(batch.revision);
        open.progressed = undefined;
        continue;
      }
      // A watch that the client has cancelled was answered then.
      if (this.#watches.get(id) !== open) break;
      if (batch.type === "cancelled") this.#watches.delete(id);
      for (const response of this.#toResponses(id, batch, fragment)) await this.#send(response);
    }
    open.progressed?.(undefined);
    if (this.#watches.get(id) === open) this.#watches.delete(id);
  }

  *#toResponses(id: bigint, batch: StoreWatchBatch, fragment: boolean): Generator<WatchResponse> {
    const response = this.#response(id, batch.revision);
    switch (batch.type) {
      case "created":
        yield { ...response, created: true };
        return;
      case "progress":
        yield response;
        return;
      case "cancelled":
        yield {
          ...response,
          canceled: true,
          compactRevision: BigInt(batch.compactRevision ?? 0),
          cancelReason: batch.reason,
        };
        return;
      case "events": {
        const parts = fragment ? fragments(batch.events) : [batch.events];
        for (const [i, part] of parts.entries()) {
          yield { ...response, events: part.map(eventMessage), fragment: i < parts.length - 1 };
        }
      }
    }
  }

  #response(watchId: bigint, revision?: number): WatchResponse {
    return {
      header: headerOf(this.#store, revision),
      watchId,
      created: false,
      canceled: false,
      compactRevision: 0n,
      cancelReason: "",
      fragment: false,
      events: [],
    };
  }

  /** Resolves when the stream has taken the message. */
  #send(response: WatchResponse): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#queue.push({ response, taken: resolve });
      this.#wake?.();
      this.#wake = undefined;
    });
  }
}

function fragments(events: readonly StoreEvent[]): (readonly StoreEvent[])[] {
  const parts: StoreEvent[][] = [[]];
  let sizeBytes = 0;
  for (const event of events) {
    const eventBytes = event.kv.key.length + event.kv.value.length + (event.prevKv?.value.length ?? 0) + 64;
    if (sizeBytes > 0 && sizeBytes + eventBytes > FRAGMENT_BYTES) {
      parts.push([]);
      sizeBytes = 0;
    }
    parts.at(-1)!.push(event);
    sizeBytes += eventBytes;
  }
  return parts;
}
