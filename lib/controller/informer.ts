import type { ApiClient } from "../client/api-client.ts";
import { type ApiObject, keyOf } from "../client/api-object.ts";
import { type Changes, type ObjectSelection, WatchChanges } from "../client/changes.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { Startable } from "../core/startable.ts";
import { asStatusError } from "../core/status-error.ts";
import type { ResourceRef } from "../resource/kind.ts";
import { BackOff } from "./back-off.ts";
import { type IndexFunction, ObjectStore } from "./object-store.ts";

/** Called in order, after the store holds the change. They must not throw and not wait: put a key into a queue. */
export interface InformerHandler<T> {
  added?(object: T): void;
  updated?(object: T, old: T): void;
  deleted?(old: T): void;
}

export interface InformerOptions<T> extends ObjectSelection {
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
}

export interface InformerComponents {
  readonly api: ApiClient;
  /** How changes are heard of after a list; default: by watch. */
  readonly changes?: Changes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const PAGE_SIZE = 500;
const EXPIRED = 410;
const UNAVAILABLE = 503;
const NEVER_LISTED = "";
/** A watch that stood this long was healthy: its end is no failure. */
const HEALTHY_WATCH_MS = 5_000;

/**
 * Keeps a copy of one resource's objects: one list, then its changes from the last revision seen; a new list only
 * when history is gone (410). Faults cost time, never a change: what happened during them is seen as its outcome.
 */
export class Informer<T extends ApiObject> implements Startable {
  readonly ref: ResourceRef<T>;
  readonly store: ObjectStore<T>;
  /** How often a full list was needed: 1 in a life without gaps. */
  lists = 0;
  private readonly components: InformerComponents;
  private readonly selection: ObjectSelection;
  private readonly changes: Changes;
  private readonly handlers: InformerHandler<T>[] = [];
  private readonly backOff: BackOff;
  private readonly stopper = new AbortController();
  private readonly syncGate = Promise.withResolvers<void>();
  private running: Promise<void> | undefined;
  private revision = NEVER_LISTED;
  private hasListed = false;

  constructor(components: InformerComponents, ref: ResourceRef<T>, options: InformerOptions<T> = {}) {
    this.components = components;
    this.ref = ref;
    const { indexes, ...selection } = options;
    this.selection = selection;
    this.changes = components.changes ?? new WatchChanges(components);
    this.store = new ObjectStore(indexes);
    this.backOff = new BackOff(components.random, { baseMs: 200, maxMs: 30_000, jitter: 0.5 });
    this.syncGate.promise.catch(() => {});
  }

  /** Before `start`: handlers see every object that the store holds. */
  addHandler(handler: InformerHandler<T>): void {
    this.handlers.push(handler);
    for (const object of this.store.list()) handler.added?.(object);
  }

  /** True once the store has held everything that existed when the informer started. */
  get synced(): boolean {
    return this.hasListed;
  }

  /** Resolves when synced; rejects when stopped before. */
  whenSynced(): Promise<void> {
    return this.syncGate.promise;
  }

  /** Everything up to this revision is in the store; 0 before the first list. */
  get seenRevision(): bigint {
    return /^\d+$/.test(this.revision) ? BigInt(this.revision) : 0n;
  }

  async start(): Promise<void> {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopper.abort(new Error("the informer was stopped"));
    this.syncGate.reject(this.stopper.signal.reason);
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, log } = this.components;
    const { signal } = this.stopper;
    while (!signal.aborted) {
      const beganMs = clock.monotonicMs();
      try {
        if (this.revision === NEVER_LISTED) await this.relist();
        await this.follow();
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asStatusError(thrown);
        if (error.code === EXPIRED) this.revision = NEVER_LISTED;
        else {
          // Whoever has the line to the API tells once that it is away; each informer would tell it again.
          const level = error.code === UNAVAILABLE ? "debug" : "warn";
          log[level]("a list or watch failed", { resource: this.ref.resource, error: String(error.cause ?? error) });
        }
      }
      if (clock.monotonicMs() - beganMs >= HEALTHY_WATCH_MS) this.backOff.forget(this.ref.resource);
      if (!signal.aborted) await clock.sleep(this.backOff.nextMs(this.ref.resource), signal).catch(() => {});
    }
  }

  private async relist(): Promise<void> {
    const { api } = this.components;
    const fresh = new Map<string, T>();
    let next: string | undefined;
    let revision: string;
    do {
      const page = await api.list(this.ref, {
        ...this.selection,
        limit: PAGE_SIZE,
        ...(next === undefined ? {} : { continue: next }),
        signal: this.stopper.signal,
      });
      for (const item of page.items) fresh.set(keyOf(item), item);
      revision = page.resourceVersion;
      next = page.continue;
    } while (next !== undefined && next !== "");
    this.lists++;
    for (const key of this.store.keys()) if (!fresh.has(key)) this.remove(key);
    for (const object of fresh.values()) this.put(object);
    this.revision = revision;
    this.hasListed = true;
    this.syncGate.resolve();
  }

  private async follow(): Promise<void> {
    const hearer = {
      put: (object: T) => this.put(object),
      deleted: (key: string, last: T | undefined) => this.remove(key, last),
      reached: (revision: string) => {
        this.revision = revision;
      },
    };
    await this.changes.follow(this.ref, this.selection, this.revision, hearer, this.stopper.signal);
  }

  private put(object: T): void {
    const before = this.store.get(keyOf(object));
    if (before !== undefined && before.metadata?.resourceVersion === object.metadata?.resourceVersion) return;
    if (before !== undefined && before.metadata?.uid !== object.metadata?.uid) this.remove(keyOf(object));
    const old = this.store.put(object);
    this.tell((handler) => (old === undefined ? handler.added?.(object) : handler.updated?.(object, old)));
  }

  private remove(key: string, last?: T): void {
    const old = this.store.remove(key);
    if (old === undefined) return;
    this.tell((handler) => handler.deleted?.(last ?? old));
  }

  /** One handler that fails on one object must not stop the others, nor the informer. */
  private tell(call: (handler: InformerHandler<T>) => void): void {
    for (const handler of this.handlers) {
      try {
        call(handler);
      } catch (error) {
        this.components.log.error("a handler failed", { resource: this.ref.resource, error: String(error) });
      }
    }
  }
}
