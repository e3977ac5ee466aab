import { fieldText, parseFieldSelector } from "../../resource/selector/field-selector.ts";
import { parseLabelSelector } from "../../resource/selector/label-selector-text.ts";
import type { WatchEvent, WatchOptions } from "../api-client.ts";
import type { ApiObject } from "../api-object.ts";

/** One committed change; `object` absent means deleted, `last` is what a deletion event shows. */
export interface Change {
  readonly table: string;
  readonly revision: number;
  readonly object: ApiObject | undefined;
  readonly old: ApiObject | undefined;
  readonly last?: ApiObject;
}

type Matcher = (object: ApiObject) => boolean;

export function matcherOf(options: { namespace?: string; labelSelector?: string; fieldSelector?: string }): Matcher {
  const labels = parseLabelSelector(options.labelSelector ?? "");
  const fields = parseFieldSelector(options.fieldSelector ?? "");
  return (object) =>
    (options.namespace === undefined || object.metadata?.namespace === options.namespace) &&
    labels.matches(object.metadata?.labels) &&
    fields.matches((field) => fieldText(object, field));
}

/** One open watch of the simulator. */
export class MemoryWatcher {
  private readonly table: string;
  private readonly options: WatchOptions;
  private readonly matches: Matcher;
  private pending: WatchEvent<ApiObject>[] = [];
  private ended = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(table: string, options: WatchOptions) {
    this.table = table;
    this.options = options;
    this.matches = matcherOf(options);
  }

  initial(objects: readonly ApiObject[], revision: number): void {
    for (const object of objects) if (this.matches(object)) this.pending.push({ type: "ADDED", object });
    if (this.options.sendInitialEvents === true) this.pending.push(bookmarkAt(revision, true));
  }

  offer(change: Change): void {
    if (change.table !== this.table || this.ended) return;
    const was = change.old !== undefined && this.matches(change.old);
    const is = change.object !== undefined && this.matches(change.object);
    if (is && change.object !== undefined) this.push({ type: was ? "MODIFIED" : "ADDED", object: change.object });
    else if (was && change.old !== undefined)
      this.push({ type: "DELETED", object: change.last ?? atRevision(change.old, change.revision) });
  }

  bookmark(revision: number, isAsked = false): void {
    if ((isAsked || this.options.allowBookmarks === true) && !this.ended) this.push(bookmarkAt(revision, false));
  }

  end(error?: Error): void {
    this.ended = true;
    this.failure = error;
    this.wake?.();
  }

  async *batches(): AsyncIterable<readonly WatchEvent<ApiObject>[]> {
    const { signal } = this.options;
    const onAbort = () => this.end();
    if (signal.aborted) return;
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const batch = this.pending;
        this.pending = [];
        if (batch.length > 0) yield batch;
        else if (this.failure !== undefined) throw this.failure;
        else if (this.ended) return;
        else
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  private push(event: WatchEvent<ApiObject>): void {
    this.pending.push(event);
    this.wake?.();
  }
}

function atRevision(object: ApiObject, revision: number): ApiObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}

function bookmarkAt(revision: number, initialEventsEnd: boolean): WatchEvent<ApiObject> {
  const annotations = initialEventsEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
  return { type: "BOOKMARK", object: { metadata: { resourceVersion: String(revision), ...annotations } } };
}
