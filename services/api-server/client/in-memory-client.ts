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
} from "../../../lib/client/api-client.ts";
import { deepFreeze } from "../../../lib/client/deep-freeze.ts";
import { pageNotFound } from "../../../lib/core/status-error.ts";
import type { ResourceRef } from "../../../lib/resource/kind.ts";
import { bookmarkObject } from "../core/bookmark.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { KubeObject } from "../core/kube-object.ts";
import type { Call, WriteOptions as CoreWriteOptions, Identity, Target } from "../core/request.ts";
import type { ResourceCore } from "../core/resource-core.ts";
import type { WatchItem } from "../core/watcher.ts";

const NEVER = new AbortController().signal;

/** The API for roles in this process: the same core and the same rights, without bytes in between. */
export class InMemoryClient implements ApiClient {
  readonly #core: ResourceCore;
  readonly #kinds: KindTable;
  readonly #identity: Identity;

  constructor(components: { core: ResourceCore; kinds: KindTable }, identity: Identity) {
    this.#core = components.core;
    this.#kinds = components.kinds;
    this.#identity = identity;
  }

  async get<T>(ref: ResourceRef<T>, key: ObjectKey, options: { signal?: AbortSignal } = {}): Promise<T> {
    return shared<T>((await this.#core.get(this.#target(ref, key), "", this.#call(options.signal))).view.object);
  }

  async list<T>(ref: ResourceRef<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const target = this.#target(ref, { namespace: options.namespace ?? "", name: "" });
    const request = {
      selectors: { label: options.labelSelector ?? "", field: options.fieldSelector ?? "" },
      resourceVersion: options.resourceVersion ?? "",
      resourceVersionMatch: "",
      limit: options.limit ?? 0,
      continue: options.continue ?? "",
    };
    const answer = await this.#core.list(target, request, this.#call(options.signal));
    return {
      resourceVersion: String(answer.revision),
      ...(answer.continue === "" ? {} : { continue: answer.continue }),
      items: answer.items.map((item) => item.object(target.kind) as T),
    };
  }

  async *watch<T>(ref: ResourceRef<T>, options: WatchOptions): AsyncGenerator<readonly WatchEvent<T>[]> {
    const target = this.#target(ref, { namespace: options.namespace ?? "", name: "" });
    const request = {
      selectors: { label: options.labelSelector ?? "", field: options.fieldSelector ?? "" },
      resourceVersion: options.resourceVersion ?? "",
      resourceVersionMatch: options.sendInitialEvents === undefined ? "" : "NotOlderThan",
      allowBookmarks: options.allowBookmarks ?? false,
      sendInitialEvents: options.sendInitialEvents,
      timeoutSeconds: 0,
      bookmarkWhenCurrent: options.bookmarkWhenCurrent ?? false,
    };
    const batches = await this.#core.watch(target, request, this.#call(options.signal));
    for await (const batch of batches) {
      const last = batch.at(-1);
      if (last?.type === "ERROR") throw last.error;
      yield batch.flatMap((item) => eventOf<T>(item, target));
    }
  }

  async create<T>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T> {
    const body = object as KubeObject;
    const target = this.#target(ref, { namespace: body.metadata?.namespace ?? "", name: "" });
    const answer = await this.#core.create(target, { object: body }, writeOptions(options), this.#call());
    return shared<T>(answer.view.object);
  }

  async update<T>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T> {
    const body = object as KubeObject;
    const key = { namespace: body.metadata?.namespace ?? "", name: body.metadata?.name ?? "" };
    const target = this.#target(ref, key, options?.subresource);
    const answer = await this.#core.update(target, { object: body }, writeOptions(options), this.#call());
    return shared<T>(answer.view.object);
  }

  async patch<T>(ref: ResourceRef<T>, key: ObjectKey, patch: Patch, options?: WriteOptions): Promise<T> {
    const target = this.#target(ref, key, options?.subresource);
    const body = { type: patch.type, patch: { value: patch.body } };
    return shared<T>((await this.#core.patch(target, body, writeOptions(options), this.#call())).view.object);
  }

  async delete<T>(ref: ResourceRef<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    await this.#core.delete(this.#target(ref, key), { dryRun: false, ...options }, this.#call());
  }

  async createSubresource<T, A = unknown>(
    ref: ResourceRef<T>,
    key: ObjectKey,
    subresource: string,
    body: A,
    options?: { fence?: Fence; dryRun?: boolean },
  ): Promise<A> {
    const target = this.#target(ref, key, subresource);
    const answer = await this.#core.create(target, { object: body as KubeObject }, writeOptions(options), this.#call());
    return shared<A>(answer.view.object);
  }

  #target(ref: ResourceRef, key: ObjectKey, subresource = ""): Target {
    const kind = this.#kinds.find(ref.group, ref.version, ref.resource);
    if (kind === undefined) throw pageNotFound();
    return { kind, namespace: key.namespace ?? "", name: key.name, subresource };
  }

  #call(signal: AbortSignal = NEVER): Call {
    return { identity: this.#identity, signal, warnings: [] };
  }
}

function shared<T>(object: KubeObject): T {
  return deepFreeze(object) as T;
}

function writeOptions(options: WriteOptions | undefined): CoreWriteOptions {
  return {
    dryRun: options?.dryRun ?? false,
    fieldValidation: "Strict",
    ...(options?.fence === undefined ? {} : { fence: options.fence }),
  };
}

function eventOf<T>(item: WatchItem, target: Target): WatchEvent<T>[] {
  if (item.type === "ERROR") return [];
  if (item.type !== "BOOKMARK") return [{ type: item.type, object: item.object.object(target.kind) as T }];
  return [{ type: "BOOKMARK", object: bookmarkObject(item, target.kind) as T }];
}
