import type { Clock, Timer } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import { type Store, StoreError } from "../../lib/store/store.ts";
import type { AutoCompactionOptions } from "./store-options.ts";

/** How often the revision mode looks. */
const REVISION_MODE_INTERVAL_MS = 5 * 60_000;

/**
 * Compacts from time to time. `periodic` compacts at each turn to where the store stood at the turn before, as
 * kube-apiserver does on etcd: history is kept for one to two periods.
 */
export class AutoCompactor {
  readonly #store: Pick<Store, "compact"> & { readonly revision: number };
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: AutoCompactionOptions;
  #timer: Timer | undefined;
  #marked = 0;

  constructor(
    components: { store: Pick<Store, "compact"> & { readonly revision: number }; clock: Clock; log: Log },
    options: AutoCompactionOptions,
  ) {
    this.#store = components.store;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#options = options;
  }

  start(): void {
    this.#marked = this.#store.revision;
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    const { mode } = this.#options;
    const intervalMs = mode === "periodic" ? this.#options.retentionMs : REVISION_MODE_INTERVAL_MS;
    this.#timer = this.#clock.after(intervalMs, () => {
      this.#arm();
      this.#turn();
    });
  }

  #turn(): void {
    const target =
      this.#options.mode === "periodic" ? this.#marked : this.#store.revision - this.#options.retentionRevisions;
    this.#marked = this.#store.revision;
    if (target <= 1) return;
    this.#store.compact(target).then(
      () => this.#log.debug("Compacted", { revision: target }),
      (error: unknown) => {
        // Somebody else has compacted as far, or nothing was written since the last turn.
        if (error instanceof StoreError && (error.code === "OUT_OF_RANGE" || error.code === "UNAVAILABLE")) return;
        this.#log.warn("Compaction failed; tried again at the next turn", { reason: String(error) });
      },
    );
  }
}
