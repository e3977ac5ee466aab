import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { pods } from "../../lib/gen/k8s/resources.ts";

/** The pods that the API wants on this node. */
export interface PodSource extends Startable {
  /** True once the first list was complete: only then is a pod that is not listed one to be ended (invariant 46). */
  readonly synced: boolean;
  get(uid: string): Pod | undefined;
  list(): readonly Pod[];
  /** A pod came, changed in what a node acts on, or went (`get` says which); `last` is its newest form. */
  onChange(listener: (uid: string, last: Pod) => void): void;
  onSynced(listener: () => void): void;
}

const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 10_000;

/** Lists, then watches from there; lists again only when history is gone. */
export class ApiPodSource implements PodSource {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #nodeName: string;
  readonly #pods = new Map<string, Pod>();
  readonly #listeners: ((uid: string, last: Pod) => void)[] = [];
  readonly #syncListeners: (() => void)[] = [];
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;
  synced = false;

  constructor(components: { api: ApiClient; clock: Clock; log: Log }, options: { nodeName: string }) {
    this.#api = components.api;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#nodeName = options.nodeName;
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  get(uid: string): Pod | undefined {
    return this.#pods.get(uid);
  }

  list(): readonly Pod[] {
    return [...this.#pods.values()];
  }

  onChange(listener: (uid: string, last: Pod) => void): void {
    this.#listeners.push(listener);
  }

  onSynced(listener: () => void): void {
    this.#syncListeners.push(listener);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    let revision: string | undefined;
    let retryMs = RETRY_FIRST_MS;
    while (!signal.aborted) {
      try {
        revision ??= await this.#list(signal);
        revision = await this.#watch(revision, signal);
        retryMs = RETRY_FIRST_MS;
      } catch (thrown) {
        if (signal.aborted) return;
        if (thrown instanceof StatusError && thrown.code === 410) revision = undefined;
        else this.#log.warn("pods of this node cannot be followed", { error: thrown });
        await this.#clock.sleep(retryMs, signal).catch(() => {});
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const seen = new Set<string>();
    const fieldSelector = `spec.nodeName=${this.#nodeName}`;
    const { items, resourceVersion } = await this.#api.list(pods, { fieldSelector, signal });
    for (const pod of items) {
      seen.add(pod.metadata?.uid ?? "");
      this.#set(pod);
    }
    for (const [uid, pod] of this.#pods) if (!seen.has(uid)) this.#remove(uid, pod);
    if (!this.synced) {
      this.synced = true;
      for (const listener of this.#syncListeners) listener();
    }
    return resourceVersion;
  }

  /** Resolves to the revision seen when the server ends the watch. */
  async #watch(from: string, signal: AbortSignal): Promise<string> {
    let revision = from;
    const fieldSelector = `spec.nodeName=${this.#nodeName}`;
    const watch = this.#api.watch(pods, { fieldSelector, resourceVersion: from, allowBookmarks: true, signal });
    for await (const batch of watch) {
      for (const { type, object } of batch) {
        revision = object.metadata?.resourceVersion ?? revision;
        if (type === "DELETED") this.#remove(object.metadata?.uid ?? "", object);
        else if (type !== "BOOKMARK") this.#set(object);
      }
    }
    return revision;
  }

  #set(pod: Pod): void {
    const uid = pod.metadata?.uid ?? "";
    const before = this.#pods.get(uid);
    this.#pods.set(uid, pod);
    // Its own status comes back to the node that wrote it: no reason to look at the pod again.
    if (before !== undefined && wishOf(before) === wishOf(pod)) return;
    for (const listener of this.#listeners) listener(uid, pod);
  }

  #remove(uid: string, last: Pod): void {
    if (!this.#pods.delete(uid)) return;
    for (const listener of this.#listeners) listener(uid, last);
  }
}

/** What of a pod its node acts on: everything but what the node itself writes. */
function wishOf(pod: Pod): string {
  const { generation, deletionTimestamp, deletionGracePeriodSeconds, labels, annotations } = pod.metadata ?? {};
  const gates = (pod.spec?.readinessGates ?? []).map(
    ({ conditionType }) => pod.status?.conditions?.find((condition) => condition.type === conditionType)?.status,
  );
  const grace = deletionGracePeriodSeconds === undefined ? "" : String(deletionGracePeriodSeconds);
  return JSON.stringify([String(generation), deletionTimestamp, grace, labels, annotations, gates]);
}
