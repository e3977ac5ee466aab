import type { Clock, Timer } from "../../lib/core/clock.ts";

interface Lease {
  readonly ttlSeconds: number;
  deadlineMs: number;
  timer: Timer;
}

/**
 * Deadlines of leases on the monotonic clock, in memory only: after a restart every lease has its full time again.
 * Keeping a lease alive moves its deadline and nothing else; the timer looks at the deadline when it fires.
 */
export class LeaseKeeper {
  readonly #clock: Clock;
  readonly #expired: (id: bigint) => void;
  readonly #leases = new Map<bigint, Lease>();

  constructor(clock: Clock, options: { readonly expired: (id: bigint) => void }) {
    this.#clock = clock;
    this.#expired = options.expired;
  }

  add(id: bigint, ttlSeconds: number): void {
    this.remove(id);
    const lease: Lease = { ttlSeconds, deadlineMs: this.#clock.monotonicMs() + ttlSeconds * 1000, timer: NO_TIMER };
    this.#leases.set(id, lease);
    this.#arm(id, lease);
  }

  remove(id: bigint): void {
    this.#leases.get(id)?.timer.cancel();
    this.#leases.delete(id);
  }

  /** Gives the lease its full time again; resolves to that time, or 0 when there is no such lease. */
  keepAlive(id: bigint): number {
    const lease = this.#leases.get(id);
    if (lease === undefined) return 0;
    lease.deadlineMs = this.#clock.monotonicMs() + lease.ttlSeconds * 1000;
    return lease.ttlSeconds;
  }

  timeToLive(id: bigint): { readonly leftSeconds: number; readonly grantedSeconds: number } | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    const leftMs = Math.max(0, lease.deadlineMs - this.#clock.monotonicMs());
    return { leftSeconds: Math.ceil(leftMs / 1000), grantedSeconds: lease.ttlSeconds };
  }

  ids(): bigint[] {
    return [...this.#leases.keys()];
  }

  stop(): void {
    for (const id of this.ids()) this.remove(id);
  }

  #arm(id: bigint, lease: Lease): void {
    const leftMs = lease.deadlineMs - this.#clock.monotonicMs();
    lease.timer = this.#clock.after(Math.max(1, Math.ceil(leftMs)), () => {
      if (lease.deadlineMs > this.#clock.monotonicMs()) {
        this.#arm(id, lease);
        return;
      }
      this.#leases.delete(id);
      this.#expired(id);
    });
  }
}

const NO_TIMER: Timer = { cancel() {} };
