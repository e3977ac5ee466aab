import type { StoredKind } from "../core/stored-kind.ts";
import type { CachedObject } from "./cached-object.ts";
import { EventRing, type RingLimits } from "./event-ring.ts";
import { lowerBound, OrderedKeys } from "./ordered-keys.ts";

/** The newest state and the newest changes of one stored kind. */
export class KindCache {
  readonly kind: StoredKind;
  readonly #objects = new Map<string, CachedObject>();
  readonly #keys = new OrderedKeys();
  readonly #wakers = new Set<() => void>();
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
    return this.#wakers.size;
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

  /** How many objects of a namespace (empty: of all) stand at or after a key. */
  countFrom(namespace: string, fromKey: string): number {
    const sorted = this.#keys.sorted();
    const end = namespace === "" ? sorted.length : lowerBound(sorted, `${namespace}0`);
    return end - lowerBound(sorted, fromKey);
  }

  put(object: CachedObject): void {
    const before = this.#set(object);
    this.#lastRevision = object.revision;
    this.#ring.push({ revision: object.revision, before, after: object, deleted: false });
  }

  delete(key: string, revision: number): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    this.#keys.remove(key);
    this.#lastRevision = revision;
    this.#ring.push({ revision, before, after: before.withRevision(revision), deleted: true });
  }

  /** Starts over with a listed state; every watch ends and asks again. */
  replace(objects: readonly CachedObject[], revision: number): void {
    const listed = new Set<string>();
    for (const object of objects) {
      listed.add(object.key);
      this.#set(object);
    }
    for (const key of [...this.#objects.keys()]) {
      if (listed.has(key)) continue;
      this.#objects.delete(key);
      this.#keys.remove(key);
    }
    this.#ring = new EventRing(revision, this.#limits);
    this.#lastRevision = revision;
    this.#generation++;
    this.wake();
  }

  /** Calls `waker` after each batch of changes until the returned function is called. */
  subscribe(waker: () => void): () => void {
    this.#wakers.add(waker);
    return () => this.#wakers.delete(waker);
  }

  wake(): void {
    for (const waker of this.#wakers) waker();
  }

  #set(object: CachedObject): CachedObject | undefined {
    const key = object.key;
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    if (before === undefined) this.#keys.add(key);
    return before;
  }
}
