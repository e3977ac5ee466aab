import type { Clock } from "../../../lib/core/clock.ts";
import type { Store } from "../../../lib/store/store.ts";

/** How often it is asked whether the holder may go on; each costs the store more than a renewal. */
const CHECK_MS = 5_000;
/** Where the publisher says who it is. */
const KEY = Buffer.from("/keelson/events/publisher");
const ABSENT = { key: KEY, target: "create", result: "equal", value: 0 } as const;

export interface Held {
  readonly id: bigint;
  /** The store's revision when it was taken. */
  readonly revision: number;
}

/** One holder among all who share a store: a key under a lease of the store's, so that it is free when its holder is dead. */
export class PublisherLease {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #holder: Uint8Array;
  readonly #ttlSeconds: number;

  constructor(
    components: { readonly store: Store; readonly clock: Clock },
    options: { readonly holder: string; readonly ttlSeconds: number },
  ) {
    this.#store = components.store;
    this.#clock = components.clock;
    this.#holder = Buffer.from(options.holder);
    this.#ttlSeconds = options.ttlSeconds;
  }

  /** Waits until it is free and takes it; undefined when somebody else was first. Rejects when the store does. */
  async take(signal: AbortSignal): Promise<Held | undefined> {
    const before = await this.#store.range({ key: KEY });
    if (before.kvs.length > 0) await this.#untilFree(before.revision + 1, signal);
    if (signal.aborted) return undefined;
    const { id } = await this.#store.leaseGrant({ ttlSeconds: this.#ttlSeconds });
    const taken = await this.#store.txn({
      compare: [ABSENT],
      success: [{ type: "put", key: KEY, value: this.#holder, lease: id }],
    });
    if (taken.succeeded) return { id, revision: taken.revision };
    await this.#store.leaseRevoke(id);
    return undefined;
  }

  /** Resolves when it is lost, cannot be renewed in its time, `holds` says no (each 5 s), or `signal` is aborted. */
  async keep(held: Held, signal: AbortSignal, holds: () => Promise<boolean>): Promise<void> {
    const ttlMs = this.#ttlSeconds * 1_000;
    let renewedMs = this.#clock.monotonicMs();
    let checkedMs = renewedMs;
    while (!signal.aborted) {
      await this.#clock.sleep(ttlMs / 3, signal).catch(() => {});
      if (signal.aborted) return;
      const askedMs = this.#clock.monotonicMs();
      try {
        if ((await this.#store.leaseKeepAlive(held.id)) === 0) return;
        renewedMs = askedMs;
        if (askedMs - checkedMs < CHECK_MS) continue;
        if (!(await holds())) return;
        checkedMs = askedMs;
      } catch {
        if (this.#clock.monotonicMs() - renewedMs >= ttlMs) return;
      }
    }
  }

  async giveUp(held: Held): Promise<void> {
    await this.#store.leaseRevoke(held.id);
  }

  async #untilFree(startRevision: number, signal: AbortSignal): Promise<void> {
    const watch = this.#store.watch({ key: KEY, startRevision });
    const cancel = () => watch.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for await (const batch of watch) {
        if (batch.type === "events" && batch.events.some((event) => event.type === "delete")) return;
        // Whoever comes back from a broken watch asks again.
        if (batch.type === "cancelled") return;
      }
    } finally {
      signal.removeEventListener("abort", cancel);
      watch.cancel();
    }
  }
}
