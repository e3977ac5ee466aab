import type { StoredKind } from "../core/stored-kind.ts";
import type { CachedObject } from "./cached-object.ts";
import { type CacheEvent, EventRing, type RingLimits } from "./event-ring.ts";
import { lowerBound, OrderedKeys } from "./ordered-keys.ts";

/** The newest state and the newest changes of one stored kind. */
export class KindCache {
  readonly kind: StoredKind;
  readonly #objects = new Map<string, CachedObject>();
  readonly #keys = new OrderedKeys();
  /** Keys of the objects that have a value in the kind's index field, by that value. */
  readonly #byIndexValue = new Map<string, Set<string>>();
  readonly #wakers = new Set<() => void>();
  /** Watchers that want objects with one value of the kind's index field, by that value. */
  readonly #indexedWakers = new Map<string, Set<() => void>>();
  readonly #touched = new Set<string>();
  #sinceAllWoke = { events: 0, sizeBytes: 0 };
  readonly #limits: RingLimits;
  #ring: EventRing;
  #lastRevision = 0;
  /** Rises when the cache was made anew: watches of an older one end. */
  #generation = 0;

  constructor(kind: StoredKind, limits: RingLimits) {
    this.kind = kind;
    this.#limits = limits;
    this.#ring = new EventRing(0, limits);
  }

  get ring(): EventRing {
    return this.#ring;
  }

  get generation(): number {
    return this.#generation;
  }

  /** The revision of the newest change of this kind that is known. */
  get lastRevision(): number {
    return this.#lastRevision;
  }

  get size(): number {
    return this.#objects.size;
  }

  get watcherCount(): number {
    let count = this.#wakers.size;
    for (const wakers of this.#indexedWakers.values()) count += wakers.size;
    return count;
  }

  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** All objects of a namespace (empty: of all), from `fromKey` on, in the order of the store's keys. */
  *range(namespace: string, fromKey = ""): IterableIterator<CachedObject> {
    const sorted = this.#keys.sorted();
    const prefix = namespace === "" ? "" : `${namespace}/`;
    for (let index = lowerBound(sorted, fromKey > prefix ? fromKey : prefix); index < sorted.length; index++) {
      const key = sorted[index]!;
      if (!key.startsWith(prefix)) return;
      const object = this.#objects.get(key);
      if (object !== undefined) yield object;
    }
  }

  /** All objects with this value, which is not empty, in the kind's index field. */
  *withIndexValue(value: string): IterableIterator<CachedObject> {
    for (const key of this.#byIndexValue.get(value) ?? []) {
      const object = this.#objects.get(key);
      if (object !== undefined) yield object;
    }
  }

  /** How many objects of a namespace (empty: of all) stand at or after a key. */
  countFrom(namespace: string, fromKey: string): number {
    const sorted = this.#keys.sorted();
    const end = namespace === "" ? sorted.length : lowerBound(sorted, `${namespace}0`);
    return end - lowerBound(sorted, fromKey);
  }

  put(object: CachedObject): void {
    const before = this.#set(object);
    this.#lastRevision = object.revision;
    this.#push({ revision: object.revision, before, after: object, deleted: false });
  }

  delete(key: string, revision: number): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    this.#keys.remove(key);
    this.#unindex(before);
    this.#lastRevision = revision;
    this.#push({ revision, before, after: before.withRevision(revision), deleted: true });
  }

  /** Starts over with a listed state; every watch ends and asks again. */
  replace(objects: readonly CachedObject[], revision: number): void {
    const listed = new Set<string>();
    for (const object of objects) {
      listed.add(object.key);
      this.#set(object);
    }
    for (const [key, object] of [...this.#objects]) {
      if (listed.has(key)) continue;
      this.#objects.delete(key);
      this.#keys.remove(key);
      this.#unindex(object);
    }
    this.#ring = new EventRing(revision, this.#limits);
    this.#lastRevision = revision;
    this.#generation++;
    this.#wakeAll();
  }

  /**
   * Calls `waker` after each batch of changes until the returned function is called. With `indexValue` only after changes of
   * objects that have or had this value in the kind's index field, and now and then, so that nobody's position grows old.
   */
  subscribe(waker: () => void, indexValue?: string): () => void {
    if (indexValue === undefined) {
      this.#wakers.add(waker);
      return () => this.#wakers.delete(waker);
    }
    const wakers = this.#indexedWakers.get(indexValue) ?? new Set();
    this.#indexedWakers.set(indexValue, wakers.add(waker));
    return () => {
      wakers.delete(waker);
      if (wakers.size === 0 && this.#indexedWakers.get(indexValue) === wakers) this.#indexedWakers.delete(indexValue);
    };
  }

  /** After each batch of changes. */
  wake(): void {
    const { events, sizeBytes } = this.#sinceAllWoke;
    if (events > this.#limits.events / 4 || sizeBytes > this.#limits.sizeBytes / 4) {
      this.#wakeAll();
      return;
    }
    for (const waker of this.#wakers) waker();
    for (const value of this.#touched) for (const waker of this.#indexedWakers.get(value) ?? []) waker();
    this.#touched.clear();
  }

  #wakeAll(): void {
    this.#sinceAllWoke = { events: 0, sizeBytes: 0 };
    this.#touched.clear();
    for (const waker of this.#wakers) waker();
    for (const wakers of this.#indexedWakers.values()) for (const waker of wakers) waker();
  }

  #push(event: CacheEvent): void {
    this.#ring.push(event);
    this.#sinceAllWoke.events++;
    this.#sinceAllWoke.sizeBytes += event.after.sizeBytes;
    if (this.kind.indexField === undefined || this.#indexedWakers.size === 0) return;
    this.#touched.add(event.after.indexValue);
    if (event.before !== undefined) this.#touched.add(event.before.indexValue);
  }

  #set(object: CachedObject): CachedObject | undefined {
    const key = object.key;
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    if (before === undefined) this.#keys.add(key);
    if (before?.indexValue === object.indexValue) return before;
    if (before !== undefined) this.#unindex(before);
    if (object.indexValue === "") return before;
    const keys = this.#byIndexValue.get(object.indexValue);
    if (keys === undefined) this.#byIndexValue.set(object.indexValue, new Set([key]));
    else keys.add(key);
    return before;
  }

  #unindex(object: CachedObject): void {
    const keys = this.#byIndexValue.get(object.indexValue);
    if (keys?.delete(object.key) === true && keys.size === 0) this.#byIndexValue.delete(object.indexValue);
  }
}
