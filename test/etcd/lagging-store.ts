import type { Store, StoreWatch, StoreWatchBatch, WatchRequest } from "../../lib/store/store.ts";

/** A store whose watches can fall behind while its calls go on, as on a member that lags. */
export class LaggingStore implements Store {
  readonly range: Store["range"];
  readonly txn: Store["txn"];
  readonly compact: Store["compact"];
  readonly leaseGrant: Store["leaseGrant"];
  readonly leaseKeepAlive: Store["leaseKeepAlive"];
  readonly leaseRevoke: Store["leaseRevoke"];
  readonly status: Store["status"];
  readonly close: Store["close"];
  readonly #store: Store;
  #gate: PromiseWithResolvers<void> | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.range = store.range.bind(store);
    this.txn = store.txn.bind(store);
    this.compact = store.compact.bind(store);
    this.leaseGrant = store.leaseGrant.bind(store);
    this.leaseKeepAlive = store.leaseKeepAlive.bind(store);
    this.leaseRevoke = store.leaseRevoke.bind(store);
    this.status = store.status.bind(store);
    this.close = store.close.bind(store);
  }

  /** From now on watches bring nothing. */
  hold(): void {
    this.#gate ??= Promise.withResolvers();
  }

  release(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  watch(request: WatchRequest): StoreWatch {
    const watch = this.#store.watch(request);
    const gate = () => this.#gate?.promise;
    return {
      requestProgress: () => watch.requestProgress(),
      cancel: () => watch.cancel(),
      async *[Symbol.asyncIterator](): AsyncGenerator<StoreWatchBatch> {
        for await (const batch of watch) {
          await gate();
          yield batch;
        }
      },
    };
  }
}
