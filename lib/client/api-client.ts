import type { ResourceRef } from "../resource/kind.ts";

/**
 * The API as our own roles use it: typed, in normal form (`lib/resource/codec`). Two implementations: in memory
 * (services/api-server, the all-in-one layout) and over gRPC `keelson.api.v1.Resources`. Both fail with
 * `StatusError`. Objects returned are frozen and shared: copy before changing.
 */
export interface ApiClient {
  get<T>(ref: ResourceRef<T>, key: ObjectKey, options?: { signal?: AbortSignal }): Promise<T>;
  list<T>(ref: ResourceRef<T>, options?: ListOptions): Promise<ObjectList<T>>;
  /**
   * Ends when `signal` is aborted or the server closes it; fails with 410 Expired when history is gone. What one
   * transaction changed comes in one batch.
   */
  watch<T>(ref: ResourceRef<T>, options: WatchOptions): AsyncIterable<readonly WatchEvent<T>[]>;
  create<T>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Fails with 409 Conflict when metadata.resourceVersion is set and stale. */
  update<T>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T>(ref: ResourceRef<T>, key: ObjectKey, patch: Patch, options?: WriteOptions): Promise<T>;
  delete<T>(ref: ResourceRef<T>, key: ObjectKey, options?: DeleteOptions): Promise<void>;
  /** POST to a subresource with an object of its own: `binding`, `eviction`, `token`. */
  createSubresource<T, A = unknown>(
    ref: ResourceRef<T>,
    key: ObjectKey,
    subresource: string,
    body: A,
    options?: { fence?: Fence; dryRun?: boolean },
  ): Promise<A>;
}

export interface ObjectKey {
  readonly namespace?: string;
  readonly name: string;
}

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly signal?: AbortSignal;
}

export interface ObjectList<T> {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly items: readonly T[];
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly allowBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  /**
   * A bookmark comes as soon as everything was sent that the store held when it was asked; the watch goes on. A
   * `resourceVersion` that the store does not have is then 410, too.
   */
  readonly bookmarkWhenCurrent?: boolean;
  readonly signal: AbortSignal;
}

export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

/** Proves that the writer still leads: the write fails with 409 unless the Lease has this holder and transition count. */
export interface Fence {
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  readonly transitions: number;
}

export interface WriteOptions {
  readonly subresource?: "status" | "scale" | "finalize" | "approval";
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fence?: Fence;
}

export interface Patch {
  readonly type: "merge" | "json" | "strategic";
  /** The patch as a JSON value, in normal form's JSON shape. */
  readonly body: unknown;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly fence?: Fence;
}
