import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { Pod, PodCondition, PodStatus } from "../../lib/gen/k8s/core/v1.ts";
import { pods } from "../../lib/gen/k8s/resources.ts";
import { podUid } from "./pod-facts.ts";

interface Entry {
  /** Newest form of the object that was read or written. */
  pod: Pod;
  wanted: PodStatus | undefined;
  writing: Promise<void> | undefined;
}

const RETRY_MS = 1_000;

/**
 * Writes pod statuses: one write of a pod at a time, and of several statuses that come meanwhile only the last. What was
 * written is known at once, before a watch tells it.
 */
export class StatusWriter {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #stopped = new AbortController();

  constructor(components: { api: ApiClient; clock: Clock; log: Log }) {
    this.#api = components.api;
    this.#clock = components.clock;
    this.#log = components.log;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([...this.#entries.values()].map((entry) => entry.writing));
  }

  /** The pod with the newest status that this node gave it. */
  latest(pod: Pod): Pod {
    const entry = this.#entries.get(podUid(pod));
    if (entry === undefined) return pod;
    if (isNewer(pod, entry.pod)) entry.pod = pod;
    const status = entry.wanted ?? entry.pod.status;
    return status === undefined ? pod : { ...pod, status };
  }

  write(pod: Pod, status: PodStatus): void {
    const uid = podUid(pod);
    const entry = this.#entries.get(uid) ?? { pod, wanted: undefined, writing: undefined };
    this.#entries.set(uid, entry);
    if (isNewer(pod, entry.pod)) entry.pod = pod;
    if (entry.wanted === undefined && sameStatus(entry.pod.status, status)) return;
    entry.wanted = status;
    entry.writing ??= this.#drain(uid, entry);
  }

  /** Resolves when the last status given is in the API, or the pod is gone from it; rejects when given up. */
  async flush(uid: string, signal: AbortSignal): Promise<void> {
    const { writing } = this.#entries.get(uid) ?? {};
    if (writing === undefined) return;
    signal.throwIfAborted();
    const givenUp = Promise.withResolvers<void>();
    const giveUp = () => givenUp.reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await Promise.race([writing, givenUp.promise]);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  async #drain(uid: string, entry: Entry): Promise<void> {
    while (entry.wanted !== undefined && !this.#stopped.signal.aborted) {
      const status = entry.wanted;
      try {
        entry.pod = await this.#put(entry.pod, status);
        if (entry.wanted === status) entry.wanted = undefined;
      } catch (thrown) {
        if (thrown instanceof StatusError && thrown.code === 404) {
          entry.wanted = undefined;
          break;
        }
        this.#log.warn("pod status not written", { uid, error: thrown });
        await this.#clock.sleep(RETRY_MS, this.#stopped.signal).catch(() => {});
      }
    }
    entry.writing = undefined;
  }

  async #put(pod: Pod, status: PodStatus): Promise<Pod> {
    try {
      return await this.#api.update(pods, { ...pod, status }, { subresource: "status" });
    } catch (thrown) {
      if (!(thrown instanceof StatusError) || thrown.code !== 409) throw thrown;
      const key = { namespace: pod.metadata?.namespace ?? "", name: pod.metadata?.name ?? "" };
      const current = await this.#api.get(pods, key);
      if (podUid(current) !== podUid(pod)) throw new StatusError(404, "NotFound", "the pod is another one now");
      const conditions = mergeConditions(current.status?.conditions ?? [], status.conditions ?? []);
      return await this.#api.update(pods, { ...current, status: { ...status, conditions } }, { subresource: "status" });
    }
  }
}

/** Conditions of others that came meanwhile stay. */
function mergeConditions(current: readonly PodCondition[], ours: readonly PodCondition[]): PodCondition[] {
  const others = current.filter((condition) => !ours.some((each) => each.type === condition.type));
  return [...ours, ...others];
}

function isNewer(a: Pod, b: Pod): boolean {
  const left = a.metadata?.resourceVersion ?? "0";
  const right = b.metadata?.resourceVersion ?? "0";
  return left.length === right.length ? left > right : left.length > right.length;
}

function sameStatus(a: PodStatus | undefined, b: PodStatus): boolean {
  return a !== undefined && stable(a) === stable(b);
}

/** Text that does not depend on the order of members. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === "bigint") return `${inner}n`;
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)));
  });
}
