import type { ApiClient } from "../client/api-client.ts";
import { type ApiObject, keyOf } from "../client/api-object.ts";
import type { Informer } from "./informer.ts";

type AnyInformer = Pick<Informer<ApiObject>, "seenRevision" | "store" | "ref">;

interface Pending {
  /** What each informer has to have seen. */
  readonly floors: Map<AnyInformer, bigint>;
  /** Deletions that must show, by uid. */
  readonly deletions: Map<string, { readonly informer: AnyInformer; readonly key: string }>;
}

/**
 * Read-your-own-writes per owner: an owner that wrote is not worked on again before the caches have passed what it wrote
 * (invariant 32). Revisions are compared as numbers, as KEP-5504 allows.
 */
export class PendingWrites {
  private readonly api: ApiClient;
  private readonly owners = new Map<string, Pending>();

  constructor(components: { api: ApiClient }) {
    this.api = components.api;
  }

  /** The owner wrote `object`, as the API answered it. */
  wrote<T extends ApiObject>(owner: string, informer: Informer<T>, object: ApiObject): void {
    this.raise(owner, informer as unknown as AnyInformer, BigInt(object.metadata?.resourceVersion ?? "0"));
  }

  /** The owner asked to delete `object`. */
  deleted<T extends ApiObject>(owner: string, informer: Informer<T>, object: ApiObject): void {
    const deletion = { informer: informer as unknown as AnyInformer, key: keyOf(object) };
    this.of(owner).deletions.set(object.metadata?.uid ?? "", deletion);
  }

  /**
   * A creation by the owner failed without telling whether it happened: the cache must show what stands in the namespace now.
   * Fails when the API cannot be asked; the caller's retry then asks again.
   */
  async unknown<T extends ApiObject>(owner: string, informer: Informer<T>, namespace: string): Promise<void> {
    const { items } = await this.api.list(informer.ref, { namespace });
    for (const item of items) this.wrote(owner, informer, item);
  }

  /** Whether the caches show everything that the owner wrote. */
  settled(owner: string): boolean {
    const pending = this.owners.get(owner);
    if (pending === undefined) return true;
    for (const [informer, revision] of pending.floors)
      if (informer.seenRevision >= revision) pending.floors.delete(informer);
    for (const [uid, { informer, key }] of pending.deletions) {
      const found = informer.store.get(key);
      const isGoing = found?.metadata?.uid !== uid || found.metadata.deletionTimestamp !== undefined;
      if (isGoing) pending.deletions.delete(uid);
    }
    if (pending.floors.size + pending.deletions.size > 0) return false;
    this.owners.delete(owner);
    return true;
  }

  forget(owner: string): void {
    this.owners.delete(owner);
  }

  private of(owner: string): Pending {
    const pending = this.owners.get(owner) ?? { floors: new Map(), deletions: new Map() };
    this.owners.set(owner, pending);
    return pending;
  }

  private raise(owner: string, informer: AnyInformer, revision: bigint): void {
    const { floors } = this.of(owner);
    const floor = floors.get(informer) ?? 0n;
    if (revision > floor) floors.set(informer, revision);
  }
}
