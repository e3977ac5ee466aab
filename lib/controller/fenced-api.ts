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
} from "../client/api-client.ts";
import type { ResourceRef } from "../resource/kind.ts";

/** The API as a leader has it: every write carries the fence, so that it fails once another leads. */
export class FencedApi implements ApiClient {
  private readonly api: ApiClient;
  private readonly fence: Fence;

  constructor(api: ApiClient, fence: Fence) {
    this.api = api;
    this.fence = fence;
  }

  get<T>(ref: ResourceRef<T>, key: ObjectKey, options?: { signal?: AbortSignal }): Promise<T> {
    return this.api.get(ref, key, options);
  }

  list<T>(ref: ResourceRef<T>, options?: ListOptions): Promise<ObjectList<T>> {
    return this.api.list(ref, options);
  }

  watch<T>(ref: ResourceRef<T>, options: WatchOptions): AsyncIterable<readonly WatchEvent<T>[]> {
    return this.api.watch(ref, options);
  }

  create<T>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T> {
    return this.api.create(ref, object, { ...options, fence: this.fence });
  }

  update<T>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T> {
    return this.api.update(ref, object, { ...options, fence: this.fence });
  }

  patch<T>(ref: ResourceRef<T>, key: ObjectKey, patch: Patch, options?: WriteOptions): Promise<T> {
    return this.api.patch(ref, key, patch, { ...options, fence: this.fence });
  }

  delete<T>(ref: ResourceRef<T>, key: ObjectKey, options?: DeleteOptions): Promise<void> {
    return this.api.delete(ref, key, { ...options, fence: this.fence });
  }

  createSubresource<T, A = unknown>(
    ref: ResourceRef<T>,
    key: ObjectKey,
    subresource: string,
    body: A,
    options?: { dryRun?: boolean },
  ): Promise<A> {
    return this.api.createSubresource(ref, key, subresource, body, { ...options, fence: this.fence });
  }
}
