import type { CachedObject } from "./cached-object.ts";

/** One change of one object; `before` is absent for a new object, `after` for a deleted one. */
export interface CacheEvent {
  readonly revision: number;
  readonly before: CachedObject | undefined;
  /** For a delete: the last state, with the revision of the delete. */
  readonly after: CachedObject;
  readonly deleted: boolean;
}

/**
 * The newest changes of one kind. Watchers hold a position instead of a buffer of their own, so memory does not grow with
 * them: who falls out of the ring is cut off.
 */
export class EventRing {
  #events: CacheEvent[] = [];
  /** Position of `#events[0]`. */
  #base = 0;
  #sizeBytes = 0;
  /** Every change after this revision is in the ring. */
  #coveredAfter: number;
  readonly #limits: RingLimits;

  constructor(coveredAfter: number, limits: RingLimits) {
    this.#coveredAfter = coveredAfter;
    this.#limits = limits;
  }

  get end(): number {
    return this.#base + this.#events.length;
  }

  get coveredAfter(): number {
    return this.#coveredAfter;
  }

  push(event: CacheEvent): void {
    this.#events.push(event);
    this.#sizeBytes += event.after.sizeBytes;
    if (this.#events.length <= this.#limits.events && this.#sizeBytes <= this.#limits.sizeBytes) return;
    // A quarter at once, so that the cost of moving the array is spread over many pushes.
    const goalEvents = Math.min(this.#events.length, this.#limits.events) * 0.75;
    const goalBytes = this.#limits.sizeBytes * 0.75;
    let dropped = 0;
    while (dropped < this.#events.length - 1) {
      if (this.#events.length - dropped <= goalEvents && this.#sizeBytes <= goalBytes) break;
      const oldest = this.#events[dropped]!;
      this.#sizeBytes -= oldest.after.sizeBytes;
      this.#coveredAfter = oldest.revision;
      dropped++;
    }
    this.#events = this.#events.slice(dropped);
    this.#base += dropped;
  }

  /** Position of the first event after `revision`; undefined when some of those are gone. */
  positionAfter(revision: number): number | undefined {
    if (revision < this.#coveredAfter) return undefined;
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#base + low;
  }

  /** The event at a position; undefined when it fell out or is not there yet. */
  at(position: number): CacheEvent | undefined {
    return this.#events[position - this.#base];
  }

  holds(position: number): boolean {
    return position >= this.#base;
  }
}

export interface RingLimits {
  readonly events: number;
  readonly sizeBytes: number;
}
