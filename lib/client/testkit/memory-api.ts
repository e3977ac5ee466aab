import { type Clock, formatTime } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import {
  alreadyExists,
  badRequest,
  conflict,
  expired,
  forbidden,
  notFound,
  OBJECT_MODIFIED,
} from "../../core/status-error.ts";
import type { ResourceRef } from "../../resource/kind.ts";
import type {
  ApiClient,
  DeleteOptions,
  Fence,
  ListOptions,
  ObjectKey,
  ObjectList,
  Patch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "../api-client.ts";
import type { ApiObject } from "../api-object.ts";
import { joinKey, keyOf } from "../api-object.ts";
import { applyMemoryPatch } from "./memory-patch.ts";
import {
  apiVersionOf,
  copyOf,
  finalizersFor,
  freeze,
  gracePeriodOf,
  hasSpecFinalizers,
  keyIn,
  type Mutable,
  mergeForUpdate,
  sameJson,
  stillHeld,
  tableName,
} from "./memory-rules.ts";
import { type Change, MemoryWatcher, matcherOf } from "./memory-watcher.ts";

/** One call as fault injection sees it. */
export interface MemoryRequest {
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly key: string;
  readonly fence: Fence | undefined;
}

export interface MemoryApiOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Changes kept for watches; older ones answer 410. */
  readonly historyLimit?: number;
}

/**
 * An in-memory API for unit tests. It keeps the rules that controllers depend on (optimistic concurrency, status apart from
 * spec, finalizers, graceful deletion of pods, fences, watch resumption and expiry) and checks nothing else: no
 * validation, no defaults, no admission. `api-client.suite.ts` runs on it and on the real server.
 */
export class MemoryApi implements ApiClient {
  /** Called before each request; throw to fail it, await to delay it. */
  before: ((request: MemoryRequest) => Promise<void> | void) | undefined;
  /** Called after a write has happened; throw for an outcome that the caller does not learn. */
  after: ((request: MemoryRequest) => Promise<void> | void) | undefined;
  /** Every write that changed something, in order. */
  readonly writes: MemoryRequest[] = [];

  /** As a store that holds nothing yet: 0 would ask a watch for "anything". */
  private revision = 1;
  private compactedRevision = 0;
  private readonly objects = new Map<string, Map<string, Mutable>>();
  private history: Change[] = [];
  private readonly watchers = new Set<MemoryWatcher>();
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly historyLimit: number;

  constructor(options: MemoryApiOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.historyLimit = options.historyLimit ?? 10_000;
  }

  /** Ends every watch as a server does that goes away; `error` ends them with a failure. */
  dropWatches(error?: Error): void {
    for (const watcher of [...this.watchers]) watcher.end(error);
  }

  /** Forgets history up to now: a watch from an older revision is told 410. */
  compact(): void {
    this.compactedRevision = this.revision;
    this.history = [];
  }

  /** Tells every watch that asked for bookmarks the current revision. */
  sendBookmarks(): void {
    for (const watcher of this.watchers) watcher.bookmark(this.revision);
  }

  /** A test that stopped everything expects 0. */
  get openWatches(): number {
    return this.watchers.size;
  }

  get currentRevision(): string {
    return String(this.revision);
  }

  async get<T>(ref: ResourceRef<T>, key: ObjectKey): Promise<T> {
    await this.admit("get", ref, key);
    return this.must(ref, key) as T;
  }

  async list<T>(ref: ResourceRef<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    await this.admit("list", ref, { name: "" });
    const matches = matcherOf(options);
    const items = [...this.table(ref).values()].filter(matches).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    return { resourceVersion: String(this.revision), items: items as T[] };
  }

  async *watch<T>(ref: ResourceRef<T>, options: WatchOptions): AsyncIterable<readonly WatchEvent<T>[]> {
    await this.admit("watch", ref, { name: "" });
    const from = options.resourceVersion ?? "";
    const synthetic = options.sendInitialEvents === true || from === "" || from === "0";
    if (!synthetic && Number(from) < this.compactedRevision)
      throw expired(`too old resource version: ${from} (${this.compactedRevision})`);
    if (options.bookmarkWhenCurrent === true && Number(from) > this.revision)
      throw expired(`resource version ${from} is not of this store, whose newest is ${this.revision}`);
    const watcher = new MemoryWatcher(tableName(ref), options);
    if (synthetic) watcher.initial([...this.table(ref).values()], this.revision);
    else for (const change of this.history) if (change.revision > Number(from)) watcher.offer(change);
    if (options.bookmarkWhenCurrent === true) watcher.bookmark(this.revision, true);
    this.watchers.add(watcher);
    try {
      yield* watcher.batches() as AsyncIterable<readonly WatchEvent<T>[]>;
    } finally {
      this.watchers.delete(watcher);
    }
  }

  async create<T>(ref: ResourceRef<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const draft = copyOf(object);
    const meta = draft.metadata;
    if (meta["name"] === undefined && meta["generateName"] !== undefined)
      meta["name"] = `${meta["generateName"]}${this.random.suffix(5)}`;
    if (meta["name"] === undefined) throw badRequest("name or generateName is required");
    const key = keyIn(meta);
    const request = await this.admit("create", ref, key, options);
    if (this.table(ref).has(joinKey(key.namespace, key.name))) throw alreadyExists(ref, key.name);
    this.refuseInTerminatingNamespace(ref, key);
    meta["uid"] = this.random.uuid();
    meta["creationTimestamp"] = formatTime(this.clock.nowMs());
    meta["generation"] = 1;
    if (ref.resource === "namespaces" && draft["spec"] === undefined) {
      draft["spec"] = { finalizers: ["kubernetes"] };
      draft["status"] = { phase: "Active" };
    }
    return (await this.store(request, ref, draft, undefined, options)) as T;
  }

  async update<T>(ref: ResourceRef<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const draft = copyOf(object);
    const key = keyIn(draft.metadata);
    const request = await this.admit("update", ref, key, options);
    const old = this.must(ref, key);
    return (await this.replace(request, ref, key, old, draft, options)) as T;
  }

  async patch<T>(ref: ResourceRef<T>, key: ObjectKey, patch: Patch, options: WriteOptions = {}): Promise<T> {
    const request = await this.admit("patch", ref, key, options);
    const old = this.must(ref, key);
    const draft = copyOf(applyMemoryPatch(old, patch));
    return (await this.replace(request, ref, key, old, draft, options)) as T;
  }

  async delete<T>(ref: ResourceRef<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const request = await this.admit("delete", ref, key, options);
    const old = this.must(ref, key);
    const { uid, resourceVersion } = old.metadata;
    if (options.uid !== undefined && options.uid !== uid)
      throw conflict(
        ref,
        key.name,
        `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`,
      );
    if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion)
      throw conflict(
        ref,
        key.name,
        `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
      );
    const draft = copyOf(old);
    const graceSeconds = gracePeriodOf(ref, draft, options);
    const finalizers = finalizersFor(draft, options);
    if (finalizers.length > 0) draft.metadata["finalizers"] = finalizers;
    const waits = finalizers.length > 0 || graceSeconds > 0 || hasSpecFinalizers(ref, draft);
    if (!waits) {
      await this.remove(request, ref, key, draft);
      return;
    }
    if (draft.metadata["deletionTimestamp"] === undefined) {
      draft.metadata["deletionTimestamp"] = formatTime(this.clock.nowMs() + graceSeconds * 1_000);
      draft.metadata["deletionGracePeriodSeconds"] = graceSeconds;
      if (ref.resource === "namespaces") draft["status"] = { ...(draft["status"] as object), phase: "Terminating" };
    } else if (Number(draft.metadata["deletionGracePeriodSeconds"] ?? 0) > graceSeconds) {
      draft.metadata["deletionGracePeriodSeconds"] = graceSeconds;
    }
    await this.store(request, ref, draft, old, {});
  }

  async createSubresource<T, A = unknown>(
    ref: ResourceRef<T>,
    key: ObjectKey,
    subresource: string,
    body: A,
    options: { fence?: Fence } = {},
  ): Promise<A> {
    const request = await this.admit("create", ref, key, options, subresource);
    const old = this.must(ref, key);
    if (subresource === "eviction") {
      await this.remove(request, ref, key, copyOf(old));
      return body;
    }
    if (subresource !== "binding") throw badRequest(`the simulator has no subresource ${subresource}`);
    await this.bind(request, ref, key, old, body);
    return body;
  }

  private async bind(
    request: MemoryRequest,
    ref: ResourceRef,
    key: ObjectKey,
    old: Mutable,
    body: unknown,
  ): Promise<void> {
    const draft = copyOf(old);
    const spec = draft["spec"] as Record<string, unknown>;
    const nodeName = (body as { target?: { name?: string } }).target?.name;
    if (draft.metadata["deletionTimestamp"] !== undefined)
      throw conflict(ref, key.name, `pod ${key.name} is being deleted, cannot be assigned to a host`);
    if (spec["nodeName"] !== undefined)
      throw conflict(ref, key.name, `pod ${key.name} is already assigned to node "${spec["nodeName"]}"`);
    spec["nodeName"] = nodeName;
    const status = (draft["status"] ?? {}) as { conditions?: { type: string }[] };
    const others = (status.conditions ?? []).filter((condition) => condition.type !== "PodScheduled");
    const scheduled = {
      type: "PodScheduled",
      status: "True",
      lastTransitionTime: formatTime(this.clock.nowMs()),
    };
    draft["status"] = { ...status, conditions: [...others, scheduled] };
    await this.store(request, ref, draft, old, {});
  }

  private async replace(
    request: MemoryRequest,
    ref: ResourceRef,
    key: ObjectKey,
    old: Mutable,
    draft: Mutable,
    options: WriteOptions,
  ): Promise<Mutable> {
    const asked = draft.metadata["resourceVersion"];
    if (asked !== undefined && asked !== old.metadata["resourceVersion"])
      throw conflict(ref, key.name, OBJECT_MODIFIED);
    const askedUid = draft.metadata["uid"];
    if (askedUid !== undefined && askedUid !== old.metadata["uid"])
      throw conflict(
        ref,
        key.name,
        `Precondition failed: UID in precondition: ${askedUid}, UID in object meta: ${old.metadata["uid"]}`,
      );
    const next = mergeForUpdate(ref, old, draft, options.subresource);
    if (next.metadata["deletionTimestamp"] !== undefined && !stillHeld(ref, next))
      return this.remove(request, ref, key, next);
    return this.store(request, ref, next, old, options);
  }

  private async store(
    request: MemoryRequest,
    ref: ResourceRef,
    draft: Mutable,
    old: Mutable | undefined,
    options: { dryRun?: boolean },
  ): Promise<Mutable> {
    if (old !== undefined && sameJson(old, draft)) return old;
    const next = { apiVersion: apiVersionOf(ref), kind: ref.kind, ...draft } as Mutable;
    if (options.dryRun === true) return freeze(next);
    next.metadata["resourceVersion"] = String(++this.revision);
    freeze(next);
    this.table(ref).set(keyOf(next as ApiObject), next);
    this.publish({ table: tableName(ref), revision: this.revision, object: next, old });
    this.writes.push(request);
    await this.after?.(request);
    return next;
  }

  private async remove(request: MemoryRequest, ref: ResourceRef, key: ObjectKey, draft: Mutable): Promise<Mutable> {
    const name = joinKey(key.namespace, key.name);
    const old = this.table(ref).get(name);
    draft.metadata["resourceVersion"] = String(++this.revision);
    freeze(draft);
    this.table(ref).delete(name);
    this.publish({ table: tableName(ref), revision: this.revision, object: undefined, old: old ?? draft, last: draft });
    this.writes.push(request);
    await this.after?.(request);
    return draft;
  }

  private publish(change: Change): void {
    this.history.push(change);
    if (this.history.length > this.historyLimit) {
      const dropped = this.history.shift();
      if (dropped !== undefined) this.compactedRevision = dropped.revision;
    }
    for (const watcher of this.watchers) watcher.offer(change);
  }

  private async admit(
    verb: MemoryRequest["verb"],
    ref: ResourceRef,
    key: ObjectKey,
    options: { fence?: Fence; subresource?: string } = {},
    subresource = options.subresource,
  ): Promise<MemoryRequest> {
    const { fence } = options;
    const request = { verb, resource: ref.resource, subresource, key: joinKey(key.namespace, key.name), fence };
    await this.before?.(request);
    if (fence !== undefined) this.checkFence(ref, key, fence);
    return request;
  }

  private checkFence(ref: ResourceRef, key: ObjectKey, fence: Fence): void {
    const lease = this.objects.get("coordination.k8s.io/leases")?.get(joinKey(fence.namespace, fence.name));
    const spec = lease?.["spec"] as { holderIdentity?: string; leaseTransitions?: number } | undefined;
    if (spec?.holderIdentity !== fence.holder || (spec.leaseTransitions ?? 0) !== fence.transitions)
      throw conflict(ref, key.name, `the writer no longer holds the lease ${fence.namespace}/${fence.name}`);
  }

  private refuseInTerminatingNamespace(ref: ResourceRef, key: ObjectKey): void {
    if (!ref.namespaced || key.namespace === undefined) return;
    const namespace = this.objects.get("/namespaces")?.get(key.namespace);
    if (namespace?.metadata["deletionTimestamp"] !== undefined)
      throw forbidden(
        ref,
        key.name,
        `unable to create new content in namespace ${key.namespace} because it is being terminated`,
      );
  }

  private must(ref: ResourceRef, key: ObjectKey): Mutable {
    const found = this.table(ref).get(joinKey(key.namespace, key.name));
    if (found === undefined) throw notFound(ref, key.name);
    return found;
  }

  private table(ref: ResourceRef): Map<string, Mutable> {
    const name = tableName(ref);
    let table = this.objects.get(name);
    if (table === undefined) {
      table = new Map();
      this.objects.set(name, table);
    }
    return table;
  }
}
