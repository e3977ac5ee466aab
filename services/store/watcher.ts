import type { StoreEvent, StoreWatch, StoreWatchBatch, WatchRequest } from "../../lib/store/store.ts";
import { inRange, keyText, type TextRange, textRange } from "./engine/bytes.ts";
import type { Transaction } from "./engine/protocol.ts";
import type { WatchHub } from "./watch-hub.ts";

const DEFAULT_BUFFER_LIMIT = 100_000;
/** Events in one batch, unless a single transaction has more. */
const BATCH_EVENTS = 500;
const BATCH_BYTES = 1024 * 1024;

type Next = IteratorResult<StoreWatchBatch, undefined>;
const DONE: Next = { done: true, value: undefined };

/**
 * One watch: a cursor into the shared ring. Its reader pulls; while there is nothing to pull it is parked, and the
 * transaction that concerns it is handed over directly.
 */
export class Watcher implements StoreWatch, AsyncIterator<StoreWatchBatch, undefined> {
  readonly range: TextRange;
  readonly #hub: WatchHub;
  readonly #request: WatchRequest;
  /** Next revision to look at. */
  #cursor: number;
  #phase: "new" | "open" | "ended" = "new";
  #parked: ((next: Next) => void) | undefined;
  #progressWanted = false;
  #unreadEvents = 0;
  /** Something was delivered since the last round of periodic progress. */
  #busy = false;

  constructor(hub: WatchHub, request: WatchRequest) {
    this.#hub = hub;
    this.#request = request;
    // As in etcd an empty key is the smallest one.
    this.range = textRange(request.key.length === 0 ? Uint8Array.of(0) : request.key, request.rangeEnd);
    this.#cursor = request.startRevision || hub.revision + 1;
  }

  [Symbol.asyncIterator](): AsyncIterator<StoreWatchBatch, undefined> {
    return this;
  }

  next(): Promise<Next> {
    if (this.#phase === "ended") return Promise.resolve(DONE);
    if (this.#phase === "new") {
      this.#phase = "open";
      return yielded({ type: "created", revision: this.#hub.revision });
    }
    if (this.range.to !== undefined && this.range.to <= this.range.from) {
      return this.#refuse("mvcc: watcher range is empty");
    }
    if (this.#unreadEvents > (this.#request.bufferLimit ?? DEFAULT_BUFFER_LIMIT)) {
      return this.#refuse("the reader is too slow");
    }
    return this.#pull();
  }

  return(): Promise<Next> {
    this.cancel();
    return Promise.resolve(DONE);
  }

  requestProgress(): void {
    this.#progressWanted = true;
    if (this.#parked !== undefined) this.#unpark(this.#takeProgress());
  }

  /** Progress in turn with other watches, when it was asked for and nothing else was sent. */
  periodicProgress(): void {
    if (this.#request.progressNotify && !this.#busy && this.#parked !== undefined) this.requestProgress();
    this.#busy = false;
  }

  cancel(): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#hub.remove(this);
    this.#parked?.(DONE);
    this.#parked = undefined;
  }

  /** The hub has published events in this watch's range. */
  offer(revision: number, events: readonly StoreEvent[]): void {
    if (revision < this.#cursor) return;
    if (this.#parked === undefined) {
      this.#unreadEvents += events.length;
      return;
    }
    if (this.#request.prevKv && revision < this.#hub.previousFrom) {
      this.#cursor = revision;
      const resolve = this.#parked;
      this.#parked = undefined;
      void this.#catchUp().then(resolve);
      return;
    }
    this.#cursor = revision + 1;
    const wanted = this.#shape(events);
    if (wanted.length > 0) this.#unpark({ type: "events", revision, events: wanted });
  }

  #pull(): Promise<Next> {
    const start = this.#request.startRevision ?? 0;
    if (this.#cursor === start && start < this.#hub.compactRevision) return this.#tooOld(this.#hub.compactRevision);
    const batch = this.#fromRing();
    if (batch === "history") return this.#catchUp();
    if (batch !== undefined) return yielded(batch);
    if (this.#progressWanted) return yielded(this.#takeProgress());
    return new Promise((resolve) => {
      this.#parked = resolve;
    });
  }

  /** The next batch; undefined when everything has been delivered; "history" when the ring does not reach back. */
  #fromRing(): StoreWatchBatch | "history" | undefined {
    const hub = this.#hub;
    if (this.#cursor > hub.revision) {
      this.#unreadEvents = 0;
      return undefined;
    }
    if (this.#cursor < hub.firstRevision || (this.#request.prevKv && this.#cursor < hub.previousFrom)) return "history";
    const events: StoreEvent[] = [];
    let revision = 0;
    let sizeBytes = 0;
    while (this.#cursor <= hub.revision && events.length < BATCH_EVENTS && sizeBytes < BATCH_BYTES) {
      const transaction = hub.at(this.#cursor++);
      const before = events.length;
      if (this.#collect(transaction, events)) revision = transaction.revision;
      for (let i = before; i < events.length; i++) sizeBytes += events[i]!.kv.value.length;
    }
    if (this.#cursor > hub.revision) this.#unreadEvents = 0;
    if (events.length === 0) return undefined;
    this.#busy = true;
    return { type: "events", revision, events };
  }

  async #catchUp(): Promise<Next> {
    const { prevKv = false } = this.#request;
    const answer = await this.#hub
      .history({ range: this.range, fromRevision: this.#cursor, prevKv })
      .catch((error: unknown) => String(error));
    if (this.#phase === "ended") return DONE;
    if (typeof answer === "string") return this.#refuse(answer);
    if (answer.compactRevision !== undefined) return this.#tooOld(answer.compactRevision);
    this.#cursor = answer.nextRevision;
    const events: StoreEvent[] = [];
    let revision = 0;
    for (const transaction of answer.transactions) {
      if (this.#collect(transaction, events)) revision = transaction.revision;
    }
    if (events.length === 0) return this.next();
    this.#busy = true;
    return { done: false, value: { type: "events", revision, events } };
  }

  #collect(transaction: Transaction, into: StoreEvent[]): boolean {
    const mine = transaction.events.filter((event) => inRange(keyText(event.kv.key), this.range));
    const wanted = this.#shape(mine);
    into.push(...wanted);
    return wanted.length > 0;
  }

  /** Filters, and leaves the previous version out where it was not asked for. */
  #shape(events: readonly StoreEvent[]): readonly StoreEvent[] {
    const { filters = [], prevKv } = this.#request;
    let wanted = events;
    if (filters.length > 0) {
      wanted = wanted.filter((event) => !filters.includes(event.type === "put" ? "noput" : "nodelete"));
    }
    if (prevKv) return wanted;
    return wanted.map((event) => (event.prevKv === undefined ? event : { type: event.type, kv: event.kv }));
  }

  #takeProgress(): StoreWatchBatch {
    this.#progressWanted = false;
    return { type: "progress", revision: this.#hub.revision };
  }

  #unpark(batch: StoreWatchBatch): void {
    const resolve = this.#parked!;
    this.#parked = undefined;
    this.#busy = true;
    resolve({ done: false, value: batch });
  }

  #tooOld(compactRevision: number): Promise<Next> {
    return this.#refuse("etcdserver: mvcc: required revision has been compacted", compactRevision);
  }

  #refuse(reason: string, compactRevision?: number): Promise<Next> {
    this.cancel();
    const revision = this.#hub.revision;
    return yielded({
      type: "cancelled",
      revision,
      reason,
      ...(compactRevision === undefined ? {} : { compactRevision }),
    });
  }
}

function yielded(value: StoreWatchBatch): Promise<Next> {
  return Promise.resolve({ done: false, value });
}
