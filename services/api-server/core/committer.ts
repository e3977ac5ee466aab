import type { Fence } from "../../../lib/client/api-client.ts";
import { asStatusError, conflict, forbidden, StatusError, serviceUnavailable } from "../../../lib/core/status-error.ts";
import { type Compare, type KeyValue, type Store, StoreError, type StoreOp } from "../../../lib/store/store.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import { storeKey } from "../cache/registry-key.ts";
import type { ExpectedWrite, WatchCache } from "../cache/watch-cache.ts";
import { unknownStoredFields } from "./kind-table.ts";
import { type KubeObject, valueAt } from "./kube-object.ts";
import type { LeasePool } from "./lease-pool.ts";
import type { ServedKind, StoredKind } from "./stored-kind.ts";

/** What is to happen to one object; `put` gives an object in its served version that the committer may keep. */
export type Decision =
  | { readonly type: "put"; readonly object: KubeObject }
  | { readonly type: "delete" }
  | { readonly type: "keep" };

/**
 * One object of a write. `decide` sees its newest state, and is asked again when that turns out to be stale; what it throws
 * ends the write. It must not change anything outside of itself.
 */
export interface WritePlan {
  readonly kind: ServedKind;
  readonly namespace: string;
  readonly name: string;
  decide(current: CachedObject | undefined): Promise<Decision>;
}

export type Outcome =
  | { readonly type: "put"; readonly before: CachedObject | undefined; readonly after: CachedObject }
  | { readonly type: "deleted"; readonly before: CachedObject; readonly after: CachedObject }
  | { readonly type: "kept"; readonly after: CachedObject | undefined }
  | { readonly type: "dry-run"; readonly before: CachedObject | undefined; readonly object: KubeObject };

export interface CommitOptions {
  readonly dryRun: boolean;
  /** Leases that the writers must still hold when the write commits. */
  readonly fences: readonly Fence[];
  readonly signal: AbortSignal;
}

interface Place {
  readonly kind: StoredKind;
  readonly namespace: string;
  readonly name: string;
}

interface Prepared {
  readonly op: StoreOp | undefined;
  readonly write: ExpectedWrite | undefined;
}

/**
 * Commits plans in one transaction of the store: optimistic from the watch cache, compared by revision, and again from the
 * store's own state when the cache was behind. An error that rests on a cached state is only told when the store agrees.
 */
export class Committer {
  readonly #store: Store;
  readonly #cache: WatchCache;
  readonly #leases: LeasePool;
  readonly #leaseKind: StoredKind;

  constructor(components: { store: Store; cache: WatchCache; leases: LeasePool; leaseKind: StoredKind }) {
    this.#store = components.store;
    this.#cache = components.cache;
    this.#leases = components.leases;
    this.#leaseKind = components.leaseKind;
  }

  async commit(plans: readonly WritePlan[], options: CommitOptions): Promise<readonly Outcome[]> {
    const places: Place[] = plans.map((plan) => ({ ...pick(plan), kind: plan.kind.stored }));
    for (const { namespace, name } of options.fences) places.push({ kind: this.#leaseKind, namespace, name });
    let currents = places.map((place) => this.#cache.of(place.kind).get(cacheKey(place)));
    let proven = false;
    for (;;) {
      options.signal.throwIfAborted();
      const attempt = await this.#attempt(plans, places, currents, options, proven);
      if (attempt.outcomes !== undefined) return attempt.outcomes;
      currents = attempt.currents;
      proven = true;
    }
  }

  async #attempt(
    plans: readonly WritePlan[],
    places: readonly Place[],
    currents: readonly (CachedObject | undefined)[],
    options: CommitOptions,
    proven: boolean,
  ): Promise<{ outcomes: readonly Outcome[] } | { outcomes?: never; currents: (CachedObject | undefined)[] }> {
    let decisions: Decision[];
    try {
      for (const [index, fence] of options.fences.entries()) checkFence(fence, currents[plans.length + index]);
      decisions = await Promise.all(plans.map((plan, index) => plan.decide(currents[index])));
    } catch (error) {
      if (proven) throw error;
      return { currents: await this.#reload(places) };
    }
    if (options.dryRun) {
      if (!proven) return { currents: await this.#reload(places) };
      return { outcomes: decisions.map((decision, index) => dryRunOutcome(decision, currents[index])) };
    }
    const prepared: Prepared[] = [];
    for (const [index, decision] of decisions.entries()) {
      prepared.push(await this.#prepare(plans[index]!, decision, currents[index]));
    }
    const ops = prepared.flatMap(({ op }) => (op === undefined ? [] : [op]));
    if (ops.length === 0) {
      // Nothing to write is only true of the newest state.
      if (!proven) {
        const stored = await this.#reload(places);
        if (stored.some((object, index) => object?.revision !== currents[index]?.revision)) return { currents: stored };
      }
      return { outcomes: currents.slice(0, plans.length).map((after) => ({ type: "kept", after })) };
    }
    return await this.#transact(plans, places, currents, prepared, ops);
  }

  async #transact(
    plans: readonly WritePlan[],
    places: readonly Place[],
    currents: readonly (CachedObject | undefined)[],
    prepared: readonly Prepared[],
    ops: readonly StoreOp[],
  ): Promise<{ outcomes: readonly Outcome[] } | { outcomes?: never; currents: (CachedObject | undefined)[] }> {
    const keys = places.map((place) => storeKey(place.kind.prefix, place.namespace, place.name));
    const compare: Compare[] = keys.map((key, index) => ({
      key: Buffer.from(key),
      target: "mod",
      result: "equal",
      value: currents[index]?.revision ?? 0,
    }));
    const forget = prepared.map(({ write }, index) =>
      write === undefined ? undefined : this.#cache.expect(keys[index]!, write),
    );
    try {
      const failure: StoreOp[] = keys.map((key) => ({ type: "range", key: Buffer.from(key) }));
      const result = await this.#store.txn({ compare, success: ops, failure });
      if (!result.succeeded) {
        const kvs = result.responses.map((response) => (response.type === "range" ? response.kvs[0] : undefined));
        return { currents: kvs.map((kv, index) => this.#objectOf(places[index]!, kv)) };
      }
      return {
        outcomes: plans.map((_, index) =>
          this.#outcome(places[index]!, currents[index], prepared[index]!, result.revision),
        ),
      };
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "NOT_FOUND")
        return await storeCall(() => Promise.reject(error));
      // A lease that was taken back is no fault of the write's: again, with a new one.
      this.#leases.forgetAll();
      return { currents: await this.#reload(places) };
    } finally {
      for (const done of forget) done?.();
    }
  }

  async #prepare(plan: WritePlan, decision: Decision, current: CachedObject | undefined): Promise<Prepared> {
    const key = Buffer.from(storeKey(plan.kind.stored.prefix, plan.namespace, plan.name));
    if (decision.type === "keep") return { op: undefined, write: undefined };
    if (decision.type === "delete") {
      return current === undefined
        ? { op: undefined, write: undefined }
        : { op: { type: "delete", key }, write: undefined };
    }
    if (current !== undefined) refuseIncomplete(current, plan);
    const object = plan.kind.toStorage(decision.object);
    if (object.metadata?.resourceVersion !== undefined) delete object.metadata.resourceVersion;
    const value = plan.kind.stored.encodeStored(object);
    if (current !== undefined && Buffer.compare(value, current.stored) === 0)
      return { op: undefined, write: undefined };
    const { ttlSeconds } = plan.kind.definition.storage;
    const lease = await storeCall(() => this.#leases.leaseFor(ttlSeconds));
    const op: StoreOp = lease === undefined ? { type: "put", key, value } : { type: "put", key, value, lease };
    return { op, write: { stored: value, object } };
  }

  #outcome(place: Place, before: CachedObject | undefined, prepared: Prepared, revision: number): Outcome {
    if (prepared.write !== undefined) {
      return { type: "put", before, after: this.#cache.adopt(place, prepared.write, revision) };
    }
    if (prepared.op?.type === "delete" && before !== undefined) {
      return { type: "deleted", before, after: before.withRevision(revision) };
    }
    return { type: "kept", after: before };
  }

  /** The objects as the store has them now, all from one revision. */
  async #reload(places: readonly Place[]): Promise<(CachedObject | undefined)[]> {
    const success: StoreOp[] = places.map((place) => ({
      type: "range",
      key: Buffer.from(storeKey(place.kind.prefix, place.namespace, place.name)),
    }));
    const result = await storeCall(() => this.#store.txn({ compare: [], success }));
    return result.responses.map((response, index) =>
      this.#objectOf(places[index]!, response.type === "range" ? response.kvs[0] : undefined),
    );
  }

  #objectOf(place: Place, kv: KeyValue | undefined): CachedObject | undefined {
    return kv === undefined ? undefined : this.#cache.read(place, kv);
  }
}

function pick(plan: WritePlan): { namespace: string; name: string } {
  return { namespace: plan.namespace, name: plan.name };
}

function cacheKey(place: Place): string {
  return place.namespace === "" ? place.name : `${place.namespace}/${place.name}`;
}

function dryRunOutcome(decision: Decision, before: CachedObject | undefined): Outcome {
  if (decision.type === "put") return { type: "dry-run", before, object: decision.object };
  if (decision.type === "delete" && before !== undefined) return { type: "deleted", before, after: before };
  return { type: "kept", after: before };
}

/** Invariant 24: what this version cannot read it must not write over. */
function refuseIncomplete(current: CachedObject, plan: WritePlan): void {
  const unknown = unknownStoredFields(current.object());
  if (unknown.length === 0) return;
  const { group, resource } = plan.kind.definition;
  const fields = unknown.slice(0, 5).join(", ");
  const why = `it is stored with fields that this version of the server does not know (${fields}); writing it would lose them`;
  throw forbidden({ group, resource }, plan.name, why);
}

function checkFence(fence: Fence, lease: CachedObject | undefined): void {
  const spec = lease?.object()["spec"];
  const holds =
    valueAt(spec, "holderIdentity") === fence.holder &&
    Number(valueAt(spec, "leaseTransitions") ?? 0) === fence.transitions;
  if (holds) return;
  const named = { group: "coordination.k8s.io", resource: "leases" };
  throw conflict(named, fence.name, `the writer ${JSON.stringify(fence.holder)} does not hold the lease any more`);
}

/** What the store refuses, in words for clients. */
export async function storeCall<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw storeStatus(error);
  }
}

function storeStatus(error: StoreError): StatusError {
  switch (error.code) {
    case "RESOURCE_EXHAUSTED":
      return new StatusError(
        507,
        "InsufficientStorage",
        "the store is full: only reads and deletes are possible",
        undefined,
        {
          cause: error,
        },
      );
    case "INVALID_ARGUMENT":
      return new StatusError(413, "RequestEntityTooLarge", `the store refused the write: ${error.message}`, undefined, {
        cause: error,
      });
    case "UNAVAILABLE":
    case "CANCELLED":
      return serviceUnavailable("the store is not available", error);
    default:
      return asStatusError(error);
  }
}
