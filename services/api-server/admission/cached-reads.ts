import type { Store } from "../../../lib/store/store.ts";
import { storeKey } from "../cache/registry-key.ts";
import type { WatchCache } from "../cache/watch-cache.ts";
import { storeCall } from "../core/committer.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { KubeObject } from "../core/kube-object.ts";

/** Reads of plugins: from memory, and from the store when memory says that something is absent. */
export class CachedReads {
  readonly #store: Store;
  readonly #cache: WatchCache;
  readonly #kinds: KindTable;

  constructor(components: { store: Store; cache: WatchCache; kinds: KindTable }) {
    this.#store = components.store;
    this.#cache = components.cache;
    this.#kinds = components.kinds;
  }

  /** Core kinds only need their plural. */
  async find(resource: string, namespace: string, name: string, group = ""): Promise<KubeObject | undefined> {
    const kind = this.#kinds.get(group, "v1", resource).stored;
    const cached = this.#cache.of(kind).get(namespace === "" ? name : `${namespace}/${name}`);
    if (cached !== undefined) return cached.object();
    const key = Buffer.from(storeKey(kind.prefix, namespace, name));
    const [kv] = (await storeCall(() => this.#store.range({ key }))).kvs;
    return kv === undefined ? undefined : this.#cache.read({ kind, namespace, name }, kv).object();
  }

  /** What memory has; for choices that may be a moment old. */
  *all(resource: string, group = ""): IterableIterator<KubeObject> {
    const kind = this.#kinds.get(group, "v1", resource).stored;
    for (const object of this.#cache.of(kind).range("")) yield object.object();
  }
}
