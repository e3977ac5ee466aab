import type { Clock, Timer } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { WatchRequest as WatchMessage, WatchResponse } from "../gen/etcd/etcdserverpb/rpc.ts";
import type { DuplexCall } from "../transport/grpc-client.ts";
import { type EtcdEndpoint, type EtcdEndpoints, REQUIRE_LEADER, storeErrorOf } from "./etcd-endpoints.ts";
import { eventOf, rangeMessage, revisionOf, watchMessage } from "./etcd-messages.ts";
import { StoreError, type StoreEvent, type StoreWatch, type StoreWatchBatch, type WatchRequest } from "./store.ts";

const DEFAULT_BUFFER_LIMIT = 100_000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
/** An endpoint that has not confirmed the watch by then is taken for dead. */
const CREATED_MS = 5_000;
/** Any number but 0, which would leave the choice to the server: the stream holds this watch alone. */
const WATCH_ID = 1n;

type Next = IteratorResult<StoreWatchBatch, undefined>;
const DONE: Next = { done: true, value: undefined };
type Call = DuplexCall<WatchMessage, WatchResponse>;

/**
 * One watch on a gRPC stream of its own. What arrives is read at once into a bounded buffer, since an unread stream
 * would hold up the others of its connection; a reader that lets the buffer fill loses the watch. A broken stream is
 * opened again where it broke off.
 */
export class EtcdWatch implements StoreWatch, AsyncIterator<StoreWatchBatch, undefined> {
  readonly #endpoints: EtcdEndpoints;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #request: WatchRequest;
  readonly #ended: () => void;
  readonly #isProgressTrusted: () => boolean;
  readonly #stopped = new AbortController();
  #call: Call | undefined;
  #createdTimer: Timer | undefined;
  #buffer: StoreWatchBatch[] = [];
  #bufferedEvents = 0;
  #reader: ((next: Next) => void) | undefined;
  #nextRevision: number;
  #announced = false;
  #progressWanted = false;
  #fragments: StoreEvent[] = [];
  #retryMs = FIRST_RETRY_MS;

  constructor(
    components: { endpoints: EtcdEndpoints; clock: Clock; log: Log },
    options: { request: WatchRequest; isProgressTrusted: () => boolean; ended: () => void },
  ) {
    this.#endpoints = components.endpoints;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#request = options.request;
    this.#ended = options.ended;
    this.#isProgressTrusted = options.isProgressTrusted;
    this.#nextRevision = options.request.startRevision ?? 0;
    void this.#run();
  }

  [Symbol.asyncIterator](): AsyncIterator<StoreWatchBatch, undefined> {
    return this;
  }

  next(): Promise<Next> {
    const batch = this.#buffer.shift();
    if (batch !== undefined) {
      if (batch.type === "events") this.#bufferedEvents -= batch.events.length;
      return Promise.resolve({ done: false, value: batch });
    }
    if (this.#stopped.signal.aborted) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  return(): Promise<Next> {
    this.cancel();
    return Promise.resolve(DONE);
  }

  requestProgress(): void {
    this.#progressWanted = true;
    if (this.#announced) this.#sendProgressRequest();
  }

  cancel(): void {
    this.#buffer = [];
    this.#stop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted && !this.#endpoints.closed) {
      const endpoint = this.#endpoints.current();
      let reason: unknown = new StoreError("UNAVAILABLE", "the server has ended a watch");
      try {
        await this.#follow(endpoint);
      } catch (error) {
        reason = error;
      } finally {
        this.#createdTimer?.cancel();
      }
      if (signal.aborted || this.#endpoints.closed) break;
      const failure = storeErrorOf(reason);
      this.#log.debug("A watch has lost its stream and opens it again", { reason: failure.message });
      this.#endpoints.leave(endpoint, failure);
      await this.#clock.sleep(this.#retryMs, signal).catch(() => {});
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    }
    this.#stop();
  }

  async #follow(endpoint: EtcdEndpoint): Promise<void> {
    const { signal } = this.#stopped;
    // A member that lags would begin at its own "now"; a range is answered at that of all.
    if (this.#nextRevision === 0) this.#nextRevision = (await currentRevision(endpoint, signal)) + 1;
    const call: Call = endpoint.watch.watch({ signal, metadata: REQUIRE_LEADER });
    this.#call = call;
    this.#createdTimer = this.#clock.after(CREATED_MS, () => call.cancel());
    this.#fragments = [];
    const create = watchMessage(this.#request, WATCH_ID, this.#nextRevision);
    void call.write({ requestUnion: { $case: "createRequest", value: create } });
    if (this.#progressWanted) this.#sendProgressRequest();
    for await (const response of call) {
      this.#endpoints.answered(endpoint);
      this.#take(response);
    }
  }

  #take(response: WatchResponse): void {
    const revision = revisionOf(response);
    if (response.canceled) {
      this.#cancelled(response, revision);
    } else if (response.created) {
      this.#createdTimer?.cancel();
      this.#retryMs = FIRST_RETRY_MS;
      if (!this.#announced) this.#push({ type: "created", revision });
      this.#announced = true;
    } else if (response.events.length > 0) {
      this.#events(response);
    } else {
      if (this.#isProgressTrusted()) this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
      this.#progressWanted = false;
      this.#push({ type: "progress", revision });
    }
  }

  #events(response: WatchResponse): void {
    this.#fragments.push(...response.events.map(eventOf));
    if (response.fragment) return;
    const events = this.#fragments;
    this.#fragments = [];
    const revision = events.at(-1)!.kv.modRevision;
    this.#nextRevision = revision + 1;
    this.#bufferedEvents += events.length;
    if (this.#bufferedEvents > (this.#request.bufferLimit ?? DEFAULT_BUFFER_LIMIT)) {
      this.#buffer = [];
      this.#push({ type: "cancelled", revision, reason: "the reader is too slow" });
      this.#stop();
      return;
    }
    this.#push({ type: "events", revision, events });
  }

  #cancelled(response: WatchResponse, revision: number): void {
    const compactRevision = Number(response.compactRevision);
    const gone = "etcdserver: mvcc: required revision has been compacted";
    if (!this.#announced) this.#push({ type: "created", revision });
    this.#push({
      type: "cancelled",
      revision,
      reason: response.cancelReason || (compactRevision > 0 ? gone : "etcdserver: watch canceled"),
      ...(compactRevision > 0 ? { compactRevision } : {}),
    });
    this.#stop();
  }

  #sendProgressRequest(): void {
    void this.#call?.write({ requestUnion: { $case: "progressRequest", value: {} } });
  }

  #push(batch: StoreWatchBatch): void {
    if (this.#stopped.signal.aborted) return;
    const reader = this.#reader;
    if (reader === undefined) {
      this.#buffer.push(batch);
      return;
    }
    this.#reader = undefined;
    if (batch.type === "events") this.#bufferedEvents -= batch.events.length;
    reader({ done: false, value: batch });
  }

  /** What is buffered can still be read. */
  #stop(): void {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    this.#ended();
    this.#reader?.(DONE);
    this.#reader = undefined;
  }
}

const PROBE = rangeMessage({ key: Uint8Array.of(0), countOnly: true });

async function currentRevision(endpoint: EtcdEndpoint, signal: AbortSignal): Promise<number> {
  const options = { signal, timeoutMs: CREATED_MS, metadata: REQUIRE_LEADER };
  return revisionOf(await endpoint.kv.range(PROBE, options));
}
