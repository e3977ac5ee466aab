import type { StoreEvent, StoreWatch, WatchRequest } from "../../lib/store/store.ts";
import { inRange, isSingleKey, keyText } from "./engine/bytes.ts";
import type { HistoryAnswer, HistoryRequest, Transaction } from "./engine/protocol.ts";
import { Watcher } from "./watcher.ts";

/** Bounds of the ring: what watchers that lag a little find in memory. */
const RING_TRANSACTIONS = 10_000;
const RING_BYTES = 16 * 1024 * 1024;

export interface WatchSource {
  history(request: HistoryRequest): Promise<HistoryAnswer>;
  /** Asks for previous versions in what is published; resolves once everything published later has them. */
  keepPrevious(): Promise<void>;
}

/**
 * Spreads committed transactions to watchers: one ring that all share and a cursor per watcher, so that a slow one
 * costs nothing but its cursor. A watcher behind the ring reads from the database until it has caught up.
 */
export class WatchHub {
  readonly #source: WatchSource;
  readonly #byKey = new Map<string, Set<Watcher>>();
  readonly #byRange = new Set<Watcher>();
  #ring: (Transaction | undefined)[] = [];
  /** Places at the front of the ring that are given up. */
  #head = 0;
  #ringBytes = 0;
  #keepsPrevious = false;
  /** From this revision on the ring has previous versions. */
  previousFrom = Number.POSITIVE_INFINITY;
  revision: number;
  compactRevision: number;

  constructor(source: WatchSource, revision: number, compactRevision: number) {
    this.#source = source;
    this.revision = revision;
    this.compactRevision = compactRevision;
  }

  get watcherCount(): number {
    let total = this.#byRange.size;
    for (const watchers of this.#byKey.values()) total += watchers.size;
    return total;
  }

  /** First revision that the ring holds, or would hold next. */
  get firstRevision(): number {
    return this.#ring[this.#head]?.revision ?? this.revision + 1;
  }

  watch(request: WatchRequest): StoreWatch {
    if (request.prevKv && !this.#keepsPrevious) {
      this.#keepsPrevious = true;
      const settled = () => {
        this.previousFrom = this.revision + 1;
      };
      this.#source.keepPrevious().then(settled, () => {});
    }
    const watcher = new Watcher(this, request);
    if (isSingleKey(request.rangeEnd)) {
      const key = watcher.range.from;
      const others = this.#byKey.get(key);
      if (others === undefined) this.#byKey.set(key, new Set([watcher]));
      else others.add(watcher);
    } else {
      this.#byRange.add(watcher);
    }
    return watcher;
  }

  /** Takes in what a commit gave and wakes whom it concerns. */
  publish(transactions: readonly Transaction[], revision: number, compactRevision: number): void {
    this.compactRevision = compactRevision;
    for (const transaction of transactions) {
      this.revision = transaction.revision;
      this.#remember(transaction);
      this.#deliver(transaction);
    }
    this.revision = revision;
  }

  /** The events of one revision in the ring. */
  at(revision: number): Transaction {
    return this.#ring[this.#head + revision - this.firstRevision]!;
  }

  history(request: HistoryRequest): Promise<HistoryAnswer> {
    return this.#source.history(request);
  }

  /** Sends progress to idle watchers that asked for it from time to time. */
  progress(): void {
    for (const watcher of this.#all()) watcher.periodicProgress();
  }

  remove(watcher: Watcher): void {
    if (this.#byRange.delete(watcher)) return;
    const key = watcher.range.from;
    const watchers = this.#byKey.get(key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#byKey.delete(key);
  }

  close(): void {
    for (const watcher of [...this.#all()]) watcher.cancel();
  }

  *#all(): Generator<Watcher> {
    yield* this.#byRange;
    for (const watchers of this.#byKey.values()) yield* watchers;
  }

  #deliver(transaction: Transaction): void {
    const woken = new Map<Watcher, StoreEvent[]>();
    const note = (watcher: Watcher, event: StoreEvent) => {
      const events = woken.get(watcher);
      if (events === undefined) woken.set(watcher, [event]);
      else events.push(event);
    };
    for (const event of transaction.events) {
      const key = keyText(event.kv.key);
      for (const watcher of this.#byKey.get(key) ?? []) note(watcher, event);
      for (const watcher of this.#byRange) if (inRange(key, watcher.range)) note(watcher, event);
    }
    for (const [watcher, events] of woken) watcher.offer(transaction.revision, events);
  }

  #remember(transaction: Transaction): void {
    this.#ring.push(transaction);
    this.#ringBytes += sizeOf(transaction);
    while (
      this.#ring.length - this.#head > 1 &&
      (this.#ring.length - this.#head > RING_TRANSACTIONS || this.#ringBytes > RING_BYTES)
    ) {
      this.#ringBytes -= sizeOf(this.#ring[this.#head]!);
      this.#ring[this.#head++] = undefined;
    }
    if (this.#head > RING_TRANSACTIONS) {
      this.#ring = this.#ring.slice(this.#head);
      this.#head = 0;
    }
  }
}

function sizeOf(transaction: Transaction): number {
  let total = 64;
  for (const { kv, prevKv } of transaction.events) {
    total += kv.key.length + kv.value.length + (prevKv === undefined ? 0 : prevKv.value.length) + 128;
  }
  return total;
}
