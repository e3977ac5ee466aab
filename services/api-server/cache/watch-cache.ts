import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Startable } from "../../../lib/core/startable.ts";
import { tooLargeResourceVersion } from "../../../lib/core/status-error.ts";
import {
  type KeyValue,
  prefixEnd,
  type Store,
  type StoreEvent,
  type StoreWatch,
  type StoreWatchBatch,
} from "../../../lib/store/store.ts";
import type { KubeObject } from "../core/kube-object.ts";
import type { StoredKind } from "../core/stored-kind.ts";
import { CachedObject } from "./cached-object.ts";
import type { RingLimits } from "./event-ring.ts";
import { KindCache } from "./kind-cache.ts";
import type { MemoBudget } from "./memo-budget.ts";
import { type ParsedKey, parseKey, REGISTRY_PREFIX } from "./registry-key.ts";

export interface WatchCacheOptions {
  readonly ring: RingLimits;
}

/** Objects per page of the first list; the loop yields between pages. */
const PAGE_SIZE = 1000;
const RETRY_MS = 250;
/** How long a read waits for the watch to bring what the store is known to have. */
const FRESH_WAIT_MS = 5_000;

/**
 * Every kind in memory, fed by one watch over the whole key space of the store. One watch gives one revision that is
 * proven for all kinds at once: a store makes no revision without a change of a key, so whoever has seen the event of
 * revision R has seen everything up to R, without progress notifications (which old etcd versions send too early).
 */
export class WatchCache implements Startable {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #budget: MemoBudget;
  readonly #kinds = new Map<string, KindCache>();
  readonly #expected = new Map<string, ExpectedWrite[]>();
  readonly #abort = new AbortController();
  #waiting: { revision: number; resolve: () => void }[] = [];
  #revision = 0;
  #synced = false;
  #watch: StoreWatch | undefined;
  #history = 0;
  /** The highest revision of a history that the store has left. */
  #leftRevision = 0;
  #running: Promise<void> | undefined;
  #freshness: Promise<number> | undefined;

  constructor(
    components: { store: Store; clock: Clock; log: Log; budget: MemoBudget; kinds: Iterable<StoredKind> },
    options: WatchCacheOptions,
  ) {
    this.#store = components.store;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#budget = components.budget;
    for (const kind of components.kinds) this.#kinds.set(kind.prefix, new KindCache(kind, options.ring));
  }

  /** Everything up to this revision is in the caches. */
  get revision(): number {
    return this.#revision;
  }

  /** All kinds were listed once and are being followed. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Rises when the store turned out to be behind what was read from it: it was restored to an older state, or is another. */
  get history(): number {
    return this.#history;
  }

  /** Whether a revision can only be of a history that the store has left; of one that both have nothing can be said. */
  isOfLeftHistory(revision: number): boolean {
    return revision > this.#revision && revision <= this.#leftRevision;
  }

  of(kind: StoredKind): KindCache {
    const cache = this.#kinds.get(kind.prefix);
    if (cache === undefined) throw new Error(`no watch cache for ${kind.prefix}`);
    return cache;
  }

  all(): Iterable<KindCache> {
    return this.#kinds.values();
  }

  async start(): Promise<void> {
    await this.#list();
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /**
   * Waits until the caches hold everything that was durable when this was called; gives their revision. Fails with 504 when
   * the watch does not bring it in time: nothing old is ever shown for new.
   */
  async fresh(): Promise<number> {
    // Readers that arrive together share one question; one that arrives later must ask again.
    this.#freshness ??= Promise.resolve().then(async () => {
      this.#freshness = undefined;
      const proven = this.#revision;
      const { revision } = await this.#store.range({ key: REVISION_PROBE, countOnly: true });
      if (revision < proven) this.#leave(revision);
      return revision;
    });
    const revision = await this.#freshness;
    if (await this.reached(revision, FRESH_WAIT_MS)) return this.#revision;
    throw tooLargeResourceVersion(String(revision), String(this.#revision));
  }

  /** Resolves when the caches have reached `revision`, or false after `timeoutMs`. */
  async reached(revision: number, timeoutMs?: number): Promise<boolean> {
    if (this.#revision >= revision) return true;
    return await new Promise<boolean>((resolve) => {
      const waiter = { revision, resolve: () => settle(true) };
      const timer = timeoutMs === undefined ? undefined : this.#clock.after(timeoutMs, () => settle(false));
      const settle = (arrived: boolean): void => {
        timer?.cancel();
        if (!arrived) this.#waiting = this.#waiting.filter((other) => other !== waiter);
        resolve(arrived);
      };
      this.#waiting.push(waiter);
    });
  }

  /**
   * Tells that `bytes` are about to be written under `key`, so that the event, when it comes, takes over the object instead
   * of decoding it. The write must call `done` afterwards.
   */
  expect(key: string, write: ExpectedWrite): () => void {
    const writes = this.#expected.get(key);
    if (writes === undefined) this.#expected.set(key, [write]);
    else writes.push(write);
    return () => {
      const left = this.#expected.get(key)?.filter((other) => other !== write) ?? [];
      if (left.length === 0) this.#expected.delete(key);
      else this.#expected.set(key, left);
    };
  }

  /** The cached form of a committed write, the same reference that the event makes or has made. */
  adopt(
    at: { kind: StoredKind; namespace: string; name: string },
    write: ExpectedWrite,
    revision: number,
  ): CachedObject {
    if (write.cached !== undefined) return write.cached;
    write.object.metadata ??= {};
    write.object.metadata.resourceVersion = String(revision);
    write.cached = new CachedObject(at, { revision, stored: write.stored, object: write.object }, this.#budget);
    return write.cached;
  }

  /** An object that was read from the store itself. */
  read(at: { kind: StoredKind; namespace: string; name: string }, kv: KeyValue): CachedObject {
    const cached = this.of(at.kind).get(at.namespace === "" ? at.name : `${at.namespace}/${at.name}`);
    if (cached !== undefined && cached.revision === kv.modRevision) return cached;
    return new CachedObject(at, { revision: kv.modRevision, stored: kv.value }, this.#budget);
  }

  /** An object that is not in the store, at the newest revision. */
  compute(at: { kind: StoredKind; namespace: string; name: string }, stored: Uint8Array): CachedObject {
    return new CachedObject(at, { revision: this.revision, stored }, this.#budget);
  }

  /** A store never goes back: one that has is not the one that was followed, and nothing of that one is true any more. */
  #leave(revision: number): void {
    if (this.#revision <= revision) return;
    this.#log.error("the store is behind what was read from it; listing again", { before: this.#revision, revision });
    this.#history++;
    this.#leftRevision = Math.max(this.#leftRevision, this.#revision);
    // Readers wait for the list.
    this.#revision = 0;
    this.#synced = false;
    this.#watch?.cancel();
  }

  async #list(): Promise<void> {
    const byKind = new Map<KindCache, CachedObject[]>([...this.#kinds.values()].map((cache) => [cache, []]));
    const end = prefixEnd(Buffer.from(REGISTRY_PREFIX));
    let from: Uint8Array = Buffer.from(REGISTRY_PREFIX);
    let revision = 0;
    for (;;) {
      const page = await this.#store.range({ key: from, rangeEnd: end, limit: PAGE_SIZE, revision });
      if (revision === 0) revision = page.revision;
      for (const kv of page.kvs) {
        const parsed = this.#parse(kv.key);
        const object = parsed === undefined ? undefined : this.#decode(parsed, kv);
        if (parsed !== undefined && object !== undefined) byKind.get(parsed.cache)?.push(object);
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) break;
      from = Buffer.concat([last.key, Buffer.of(0)]);
    }
    for (const [cache, objects] of byKind) cache.replace(objects, revision);
    this.#advance(revision);
    this.#synced = true;
  }

  async #follow(): Promise<void> {
    const signal = this.#abort.signal;
    while (!signal.aborted) {
      try {
        await this.#followOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn("watch of the store failed", { error: String(error) });
        await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
  }

  async #followOnce(signal: AbortSignal): Promise<void> {
    if (!this.#synced) await this.#list();
    const watch = this.#store.watch({ key: EVERYTHING, rangeEnd: EVERYTHING, startRevision: this.#revision + 1 });
    const cancel = (): void => watch.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    this.#watch = watch;
    try {
      for await (const batch of watch) {
        if (signal.aborted || !this.#synced) return;
        if (batch.type === "events") this.#apply(batch);
        if (batch.type !== "cancelled") continue;
        if (batch.compactRevision === undefined) throw new Error(batch.reason);
        this.#log.warn("history was compacted before it was read; listing again", { revision: this.#revision });
        await this.#list();
        return;
      }
      if (!signal.aborted && this.#synced) await this.#clock.sleep(RETRY_MS, signal);
    } finally {
      signal.removeEventListener("abort", cancel);
      watch.cancel();
    }
  }

  #apply(batch: Extract<StoreWatchBatch, { type: "events" }>): void {
    const touched = new Set<KindCache>();
    for (const event of batch.events) {
      // After a reconnect a store may repeat what was seen.
      if (event.kv.modRevision <= this.#revision) continue;
      const parsed = this.#parse(event.kv.key);
      if (parsed === undefined) continue;
      this.#applyOne(parsed, event);
      touched.add(parsed.cache);
    }
    this.#advance(batch.events.at(-1)?.kv.modRevision ?? batch.revision);
    for (const cache of touched) cache.wake();
  }

  #applyOne(parsed: ParsedKey & { cache: KindCache }, event: StoreEvent): void {
    if (event.type === "delete") {
      parsed.cache.delete(parsed.key, event.kv.modRevision);
      return;
    }
    const expected = this.#expected.get(parsed.storeKey)?.find((write) => sameBytes(write.stored, event.kv.value));
    const at = { kind: parsed.cache.kind, namespace: parsed.namespace, name: parsed.name };
    const object =
      expected === undefined ? this.#decode(parsed, event.kv) : this.adopt(at, expected, event.kv.modRevision);
    if (object !== undefined) parsed.cache.put(object);
  }

  #advance(revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter((waiter) => waiter.revision <= revision);
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > revision);
    for (const waiter of ready) waiter.resolve();
  }

  #parse(key: Uint8Array): (ParsedKey & { cache: KindCache }) | undefined {
    const parsed = parseKey(key, (prefix) => this.#kinds.get(prefix)?.kind.namespaced);
    const cache = parsed === undefined ? undefined : this.#kinds.get(parsed.prefix);
    return parsed === undefined || cache === undefined ? undefined : { ...parsed, cache };
  }

  /** An object that cannot be read stays in the store, is named in the log, and does not hide the others. */
  #decode(parsed: ParsedKey & { cache: KindCache }, kv: KeyValue): CachedObject | undefined {
    const at = { kind: parsed.cache.kind, namespace: parsed.namespace, name: parsed.name };
    try {
      return new CachedObject(at, { revision: kv.modRevision, stored: kv.value }, this.#budget);
    } catch (error) {
      this.#log.error("stored object cannot be read", { key: parsed.storeKey, error: String(error) });
      return undefined;
    }
  }
}

/** A write on its way: the bytes and the object (ours, not frozen yet) that they were made from. */
export interface ExpectedWrite {
  readonly stored: Uint8Array;
  readonly object: KubeObject;
  cached?: CachedObject;
}

const EVERYTHING = Uint8Array.of(0);
const REVISION_PROBE = Buffer.from("/registry/");

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0;
}
