import type { ApiClient, WatchEvent } from "../client/api-client.ts";
import type { ApiObject } from "../client/api-object.ts";
import type { ObjectSelection } from "../client/changes.ts";
import type { ResourceRef } from "../resource/kind.ts";
import type { ObjectChange, SourceBatch, StreamSource } from "./stream-source.ts";

/** The API's watch as a follower asks it. */
export class WatchSource<T extends ApiObject> implements StreamSource<T> {
  readonly #api: ApiClient;
  readonly #ref: ResourceRef<T>;
  readonly #selection: ObjectSelection;

  constructor(components: { readonly api: ApiClient }, ref: ResourceRef<T>, selection: ObjectSelection) {
    this.#api = components.api;
    this.#ref = ref;
    this.#selection = selection;
  }

  async *follow(fromRevision: number, signal: AbortSignal): AsyncGenerator<SourceBatch<T>> {
    const options = {
      ...this.#selection,
      resourceVersion: String(fromRevision),
      allowBookmarks: true,
      bookmarkWhenCurrent: true,
      signal,
    };
    for await (const batch of this.#api.watch(this.#ref, options)) {
      const last = batch.at(-1);
      if (last === undefined) continue;
      yield {
        changes: batch.filter(({ type }) => type !== "BOOKMARK").map(changeOf),
        throughRevision: revisionOf(last.object),
        isCurrent: batch.some(({ type }) => type === "BOOKMARK"),
      };
    }
  }
}

function changeOf<T extends ApiObject>({ type, object }: WatchEvent<T>): ObjectChange<T> {
  const { namespace = "", name = "" } = object.metadata ?? {};
  return { revision: revisionOf(object), operation: type === "DELETED" ? "delete" : "put", namespace, name, object };
}

function revisionOf(object: ApiObject): number {
  return Number(object.metadata?.resourceVersion);
}
