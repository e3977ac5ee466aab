import type { Clock } from "../../../lib/core/clock.ts";
import type { Store } from "../../../lib/store/store.ts";

/** Objects that may share a lease of the store: each of them lives up to this share longer than asked. */
const REUSE_SHARE = 0.05;
const OBJECTS_PER_LEASE = 1000;

/** Leases for objects that live a while (Events), shared so that a write does not cost a grant. */
export class LeasePool {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #current = new Map<number, { id: Promise<bigint>; untilMs: number; objects: number }>();

  constructor(components: { store: Store; clock: Clock }) {
    this.#store = components.store;
    this.#clock = components.clock;
  }

  async leaseFor(ttlSeconds: number): Promise<bigint | undefined> {
    if (ttlSeconds === 0) return undefined;
    const nowMs = this.#clock.monotonicMs();
    const current = this.#current.get(ttlSeconds);
    if (current !== undefined && nowMs < current.untilMs && current.objects < OBJECTS_PER_LEASE) {
      current.objects++;
      return await current.id;
    }
    const reuseSeconds = Math.ceil(ttlSeconds * REUSE_SHARE);
    const id = this.#store.leaseGrant({ ttlSeconds: ttlSeconds + reuseSeconds }).then((lease) => lease.id);
    this.#current.set(ttlSeconds, { id, untilMs: nowMs + reuseSeconds * 1000, objects: 1 });
    id.catch(() => this.#current.delete(ttlSeconds));
    return await id;
  }

  /** The store does not know a lease any more: it was restored, or this process slept for longer than the lease lived. */
  forgetAll(): void {
    this.#current.clear();
  }
}
