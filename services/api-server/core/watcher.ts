import type { Clock, Timer } from "../../../lib/core/clock.ts";
import type { Random } from "../../../lib/core/random.ts";
import { expired, type StatusError } from "../../../lib/core/status-error.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import type { CacheEvent } from "../cache/event-ring.ts";
import type { KindCache } from "../cache/kind-cache.ts";
import type { WatchCache } from "../cache/watch-cache.ts";
import { storeCall } from "./committer.ts";
import { checkWatchRequest, parseRevision, type WatchRequest } from "./list-options.ts";
import type { Reader } from "./reader.ts";
import type { Target } from "./request.ts";
import { Selection } from "./selection.ts";

export type WatchItem =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: CachedObject }
  | { readonly type: "BOOKMARK"; readonly revision: number; readonly initialEventsEnd: boolean }
  | { readonly type: "ERROR"; readonly error: StatusError };

/** Items that a watcher hands over at once, so that one relist does not hold the loop. */
const BATCH_SIZE = 500;
const BOOKMARK_MS = 60_000;
/** Without a wish of the client a watch lives 30 to 60 minutes, as upstream's. */
const MIN_LIFE_SECONDS = 1800;

/** Watches: a position in the ring of the kind, and a filter. */
export class Watcher {
  readonly #cache: WatchCache;
  readonly #reader: Reader;
  readonly #clock: Clock;

  readonly #random: Random;
  readonly #pulses = new Set<Pulse>();
  #isClosed = false;

  constructor(components: { cache: WatchCache; reader: Reader; clock: Clock; random: Random }) {
    this.#cache = components.cache;
    this.#random = components.random;
    this.#reader = components.reader;
    this.#clock = components.clock;
  }

  /** Ends every watch as if its time were over; those that are asked for later end at once. */
  endAll(): void {
    this.#isClosed = true;
    for (const pulse of this.#pulses) pulse.end();
  }

  /** Refuses what cannot be watched before the first item; the iteration ends by itself or when `signal` is aborted. */
  async watch(
    target: Target,
    request: WatchRequest,
    signal: AbortSignal,
  ): Promise<AsyncIterableIterator<readonly WatchItem[]>> {
    checkWatchRequest(request);
    const selection = new Selection(target.kind, target, request.selectors);
    const version = parseRevision(request.resourceVersion);
    if (request.resourceVersion === "" || request.bookmarkWhenCurrent) await storeCall(() => this.#cache.fresh());
    if (request.bookmarkWhenCurrent && version > this.#cache.revision) throw neverWas(version, this.#cache.revision);
    if (this.#cache.isOfLeftHistory(version)) throw neverWas(version, this.#cache.revision);
    const cache = this.#cache.of(target.kind.stored);
    const withInitial = request.sendInitialEvents ?? version === 0;
    // A watch alone can begin in the future: it waits, and sends nothing that the client has left behind (invariant 19).
    if (withInitial) await this.#reader.waitFor(version);
    const startRevision = withInitial ? this.#cache.revision : version === 0 ? this.#cache.revision : version;
    const position = cache.ring.positionAfter(startRevision);
    if (position === undefined) throw tooOld(startRevision, cache.ring.coveredAfter);
    const initial = withInitial
      ? [...cache.range(selection.namespace)].filter((object) => selection.matches(object))
      : [];
    const start = { initial, position, revision: startRevision, withBookmark: request.sendInitialEvents === true };
    return this.#follow(cache, selection, start, request, signal);
  }

  async *#follow(
    cache: KindCache,
    selection: Selection,
    start: { initial: readonly CachedObject[]; position: number; revision: number; withBookmark: boolean },
    request: WatchRequest,
    signal: AbortSignal,
  ): AsyncIterableIterator<readonly WatchItem[]> {
    const { generation } = cache;
    const { history } = this.#cache;
    const lifeSeconds =
      request.timeoutSeconds > 0 ? request.timeoutSeconds : MIN_LIFE_SECONDS * (1 + this.#random.float());
    const subscribe = (waker: () => void): (() => void) => cache.subscribe(waker, selection.indexValue);
    const pulse = new Pulse(this.#clock, subscribe, signal, lifeSeconds * 1000);
    this.#pulses.add(pulse);
    if (this.#isClosed) pulse.end();
    try {
      for (let index = 0; index < start.initial.length; index += BATCH_SIZE) {
        yield start.initial.slice(index, index + BATCH_SIZE).map((object) => ({ type: "ADDED", object }));
      }
      if (start.withBookmark && request.allowBookmarks) {
        yield [{ type: "BOOKMARK", revision: start.revision, initialEventsEnd: true }];
      }
      let { position } = start;
      // Caches that were proven to be current when this began: the end of the ring is what was asked for.
      let bookmarkAtMs = this.#clock.monotonicMs() + (request.bookmarkWhenCurrent ? 0 : BOOKMARK_MS);
      let isAsked = request.bookmarkWhenCurrent ?? false;
      while (!pulse.ended && cache.generation === generation) {
        if (!cache.ring.holds(position)) {
          yield [{ type: "ERROR", error: tooOld(start.revision, cache.ring.coveredAfter) }];
          return;
        }
        const batch = collect(cache, selection, position, start.revision);
        position = batch.position;
        if (batch.items.length > 0) yield batch.items;
        if (cache.ring.at(position) !== undefined) continue;
        const nowMs = this.#clock.monotonicMs();
        if ((request.allowBookmarks || isAsked) && nowMs >= bookmarkAtMs) {
          bookmarkAtMs = nowMs + BOOKMARK_MS;
          isAsked = false;
          const revision = Math.max(start.revision, this.#cache.revision);
          yield [{ type: "BOOKMARK", revision, initialEventsEnd: false }];
          continue;
        }
        await pulse.wait(request.allowBookmarks ? bookmarkAtMs - nowMs : undefined);
      }
      // What was sent may be of a history that nobody else will ever tell: the client must not go on from there.
      if (this.#cache.history !== history)
        yield [{ type: "ERROR", error: neverWas(start.revision, this.#cache.revision) }];
    } finally {
      this.#pulses.delete(pulse);
      pulse.stop();
    }
  }
}

function collect(
  cache: KindCache,
  selection: Selection,
  from: number,
  afterRevision: number,
): { items: WatchItem[]; position: number } {
  const items: WatchItem[] = [];
  let position = from;
  let lastRevision = 0;
  for (;;) {
    const event = cache.ring.at(position);
    if (event === undefined) break;
    // Whole revisions: whoever resumes after the last one of a batch must not miss the rest of it.
    if (items.length >= BATCH_SIZE && event.revision !== lastRevision) break;
    lastRevision = event.revision;
    position++;
    if (event.revision <= afterRevision) continue;
    const item = shown(event, selection);
    if (item !== undefined) items.push(item);
  }
  return { items, position };
}

/** What a watcher with this selection sees: objects that come to match are added, those that cease to are deleted. */
function shown(event: CacheEvent, selection: Selection): WatchItem | undefined {
  const matchedBefore = event.before !== undefined && selection.matches(event.before);
  if (event.deleted) return matchedBefore ? { type: "DELETED", object: event.after } : undefined;
  if (selection.matches(event.after)) {
    return { type: matchedBefore ? "MODIFIED" : "ADDED", object: event.after };
  }
  if (!matchedBefore || event.before === undefined) return undefined;
  return { type: "DELETED", object: event.before.withRevision(event.revision) };
}

function tooOld(revision: number, oldest: number): StatusError {
  return expired(`too old resource version: ${revision} (${oldest})`);
}

function neverWas(revision: number, newest: number): StatusError {
  return expired(`resource version ${revision} is not of this store, whose newest is ${newest}`);
}

/** Wakes one watcher: by a change, by its own time, at the end of its life, or when nobody listens any more. */
class Pulse {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #unsubscribe: () => void;
  readonly #end: Timer;
  #ended = false;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock, subscribe: (waker: () => void) => () => void, signal: AbortSignal, lifeMs: number) {
    this.#clock = clock;
    this.#signal = signal;
    this.#unsubscribe = subscribe(() => this.#notify());
    this.#end = clock.after(lifeMs, this.#finish);
    signal.addEventListener("abort", this.#finish, { once: true });
  }

  end(): void {
    this.#finish();
  }

  get ended(): boolean {
    return this.#ended || this.#signal.aborted;
  }

  async wait(atMostMs: number | undefined): Promise<void> {
    if (this.#changed || this.ended) {
      this.#changed = false;
      return;
    }
    const timer = atMostMs === undefined ? undefined : this.#clock.after(atMostMs, () => this.#wake?.());
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    this.#changed = false;
    timer?.cancel();
  }

  stop(): void {
    this.#unsubscribe();
    this.#end.cancel();
    this.#signal.removeEventListener("abort", this.#finish);
  }

  #notify(): void {
    this.#changed = true;
    this.#wake?.();
  }

  readonly #finish = (): void => {
    this.#ended = true;
    this.#wake?.();
  };
}
