import { badRequest, expired, notFound, tooLargeResourceVersion } from "../../../lib/core/status-error.ts";
import { prefixEnd, type Store, StoreError } from "../../../lib/store/store.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import { parseKey, storeKey } from "../cache/registry-key.ts";
import type { WatchCache } from "../cache/watch-cache.ts";
import { storeCall } from "./committer.ts";
import { componentStatus } from "./component-status.ts";
import type { ContinueTokens } from "./continue-token.ts";
import { type ListMode, type ListRequest, listModeOf, parseRevision } from "./list-options.ts";
import type { Target } from "./request.ts";
import { Selection } from "./selection.ts";
import { untilAborted } from "./until-aborted.ts";

export interface ListAnswer {
  readonly items: readonly CachedObject[];
  readonly revision: number;
  readonly continue: string;
  readonly remaining: number | undefined;
}

/** How long a read waits for a revision that is not there yet; as upstream's. */
export const FUTURE_WAIT_MS = 3000;
/** Objects read from the store at once for a page of an old revision. */
const STORE_PAGE = 500;

/** Gets and lists: from memory at a proven revision, from the store's history where an old revision is asked for. */
export class Reader {
  readonly #store: Store;
  readonly #cache: WatchCache;
  readonly #tokens: ContinueTokens;

  constructor(components: { store: Store; cache: WatchCache; tokens: ContinueTokens }) {
    this.#store = components.store;
    this.#cache = components.cache;
    this.#tokens = components.tokens;
  }

  async get(target: Target, resourceVersion: string): Promise<CachedObject> {
    if (!target.kind.definition.stored) return named(await this.#computed(target.kind), target);
    const revision = parseRevision(resourceVersion);
    if (resourceVersion === "") await storeCall(() => this.#cache.fresh());
    else await this.waitFor(revision);
    const key = target.namespace === "" ? target.name : `${target.namespace}/${target.name}`;
    const object = this.#cache.of(target.kind.stored).get(key);
    return named(object === undefined ? [] : [object], target);
  }

  /** Nobody waits for it, nor is anything read for it, once `signal` is aborted. */
  async list(target: Target, request: ListRequest, signal: AbortSignal): Promise<ListAnswer> {
    const selection = new Selection(target.kind, target, request.selectors);
    if (!target.kind.definition.stored) {
      const items = (await this.#computed(target.kind)).filter((object) => selection.matches(object));
      return { items, revision: this.#cache.revision, continue: "", remaining: undefined };
    }
    const scope = scopeOf(target, request);
    if (request.continue !== "") {
      if (request.resourceVersion !== "" && request.resourceVersion !== "0") {
        throw badRequest("specifying resource version is not allowed when using continue");
      }
      const position = this.#tokens.read(request.continue, scope);
      return await this.#listAt(selection, position.revision, position.fromKey, request.limit, scope, CONTINUE_TOO_OLD);
    }
    const mode = listModeOf(request);
    if (mode.type === "exact" && mode.revision !== this.#cache.revision) {
      await untilAborted(signal, this.waitFor(mode.revision));
      return await this.#listAt(selection, mode.revision, "", request.limit, scope, LIST_TOO_OLD);
    }
    await untilAborted(signal, this.#waitForMode(mode));
    return this.#listCached(selection, this.#cache.revision, "", request.limit, scope);
  }

  /** Objects of a kind that nobody stores: found out at each read. Only ComponentStatus can be read so. */
  async #computed(kind: Target["kind"]): Promise<CachedObject[]> {
    const status = await componentStatus(this.#store);
    const { name } = status.metadata;
    const value = kind.stored.encodeStored(status);
    const place = { kind: kind.stored, namespace: "", name };
    return [this.#cache.compute(place, value)];
  }

  /** Waits until the caches have reached a revision; one from the future fails. */
  async waitFor(revision: number): Promise<void> {
    if (this.#cache.revision >= revision) return;
    if (await this.#cache.reached(revision, FUTURE_WAIT_MS)) return;
    throw tooLargeResourceVersion(String(revision), String(this.#cache.revision));
  }

  async #waitForMode(mode: ListMode): Promise<void> {
    if (mode.type === "newest") await storeCall(() => this.#cache.fresh());
    if (mode.type === "notOlderThan") await this.waitFor(mode.revision);
  }

  async #listAt(
    selection: Selection,
    revision: number,
    fromKey: string,
    limit: number,
    scope: string,
    tooOld: string,
  ): Promise<ListAnswer> {
    // A kind that has not changed since looks now as it looked then; caches that lag do not know whether it has.
    const isKnown = this.#cache.revision >= revision;
    if (isKnown && this.#cache.of(selection.kind.stored).lastRevision <= revision) {
      return this.#listCached(selection, revision, fromKey, limit, scope);
    }
    return await this.#listStored(selection, revision, fromKey, limit, scope, tooOld);
  }

  #listCached(selection: Selection, revision: number, fromKey: string, limit: number, scope: string): ListAnswer {
    const cache = this.#cache.of(selection.kind.stored);
    const items: CachedObject[] = [];
    let next: CachedObject | undefined;
    for (const object of candidates(cache, selection, fromKey)) {
      if (!selection.matches(object)) continue;
      if (limit > 0 && items.length === limit) {
        next = object;
        break;
      }
      items.push(object);
    }
    if (next === undefined) return { items, revision, continue: "", remaining: undefined };
    const token = this.#tokens.write({ revision, fromKey: next.key }, scope);
    const remaining = selection.isPlain ? cache.countFrom(selection.namespace, next.key) : undefined;
    return { items, revision, continue: token, remaining };
  }

  async #listStored(
    selection: Selection,
    revision: number,
    fromKey: string,
    limit: number,
    scope: string,
    tooOld: string,
  ): Promise<ListAnswer> {
    const kind = selection.kind.stored;
    const prefix = `${storeKey(kind.prefix, "", selection.namespace)}${selection.namespace === "" ? "" : "/"}`;
    const rangeEnd = prefixEnd(Buffer.from(prefix));
    const items: CachedObject[] = [];
    let key: Uint8Array = Buffer.from(fromKey === "" ? prefix : storeKey(kind.prefix, "", fromKey));
    for (;;) {
      const page = await this.#range({ key, rangeEnd, limit: STORE_PAGE, revision }, tooOld);
      for (const [index, kv] of page.kvs.entries()) {
        const parsed = parseKey(kv.key, (text) => (text === kind.prefix ? kind.namespaced : undefined));
        if (parsed === undefined) continue;
        const object = this.#cache.read({ kind, namespace: parsed.namespace, name: parsed.name }, kv);
        if (!selection.matches(object)) continue;
        if (limit > 0 && items.length === limit) {
          const token = this.#tokens.write({ revision, fromKey: object.key }, scope);
          return { items, revision, continue: token, remaining: selection.isPlain ? page.count - index : undefined };
        }
        items.push(object);
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { items, revision, continue: "", remaining: undefined };
      key = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  async #range(request: Parameters<Store["range"]>[0], tooOld: string): ReturnType<Store["range"]> {
    try {
      return await this.#store.range(request);
    } catch (error) {
      if (error instanceof StoreError && error.code === "OUT_OF_RANGE") throw expired(tooOld);
      return await storeCall(() => Promise.reject(error));
    }
  }
}

const CONTINUE_TOO_OLD =
  "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.";
const LIST_TOO_OLD = "The resourceVersion for the provided list is too old.";

function named(objects: readonly CachedObject[], target: Target): CachedObject {
  const { group, resource } = target.kind.definition;
  const object = objects.find(({ name }) => name === target.name);
  if (object === undefined) throw notFound({ group, resource }, target.name);
  return object;
}

function* candidates(
  cache: ReturnType<WatchCache["of"]>,
  selection: Selection,
  fromKey: string,
): IterableIterator<CachedObject> {
  const { namespaced } = selection.kind.stored;
  if (selection.name === undefined || (namespaced && selection.namespace === "")) {
    yield* cache.range(selection.namespace, fromKey);
    return;
  }
  const key = namespaced ? `${selection.namespace}/${selection.name}` : selection.name;
  const object = key >= fromKey ? cache.get(key) : undefined;
  if (object !== undefined) yield object;
}

function scopeOf(target: Target, request: ListRequest): string {
  const { definition } = target.kind;
  return [
    definition.group,
    definition.resource,
    target.namespace,
    request.selectors.label,
    request.selectors.field,
  ].join("\n");
}
