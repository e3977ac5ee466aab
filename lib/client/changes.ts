import type { ResourceRef } from "../resource/kind.ts";
import type { ApiClient } from "./api-client.ts";
import { type ApiObject, keyOf } from "./api-object.ts";

/** Which objects of a resource; absent members select all. */
export interface ObjectSelection {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** What is told of changes, in order; all are called synchronously and must not throw. */
export interface ChangeHearer<T> {
  /** The object is as it is here now, frozen; it may be told again. */
  put(object: T): void;
  /** `last` is how it was when it went, where that is told. */
  deleted(key: string, last: T | undefined): void;
  /** Everything up to and including this revision was told. */
  reached(revision: string): void;
}

/** How changes are heard of after a list: by watch, or by a bus that falls back to it (`lib/events/bus-changes.ts`). */
export interface Changes {
  /**
   * Tells everything that happened after revision `from`, until `signal` is aborted. Ends when it cannot go on now: call it
   * again from what was reached. Fails with 410 Expired when only a list can tell what is there.
   */
  follow<T extends ApiObject>(
    ref: ResourceRef<T>,
    selection: ObjectSelection,
    from: string,
    hearer: ChangeHearer<T>,
    signal: AbortSignal,
  ): Promise<void>;
}

/** By `ApiClient.watch`. */
export class WatchChanges implements Changes {
  readonly #api: ApiClient;

  constructor(components: { readonly api: ApiClient }) {
    this.#api = components.api;
  }

  async follow<T extends ApiObject>(
    ref: ResourceRef<T>,
    selection: ObjectSelection,
    from: string,
    hearer: ChangeHearer<T>,
    signal: AbortSignal,
  ): Promise<void> {
    const options = { ...selection, resourceVersion: from, allowBookmarks: true, signal };
    for await (const batch of this.#api.watch(ref, options)) {
      if (signal.aborted) return;
      for (const { type, object } of batch) {
        if (type === "DELETED") hearer.deleted(keyOf(object), object);
        else if (type !== "BOOKMARK") hearer.put(object);
      }
      const revision = batch.at(-1)?.object.metadata?.resourceVersion;
      if (revision !== undefined) hearer.reached(revision);
    }
  }
}
