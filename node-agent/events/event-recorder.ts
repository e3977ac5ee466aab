import type { ApiClient } from "../../lib/client/api-client.ts";
import { type Clock, formatTime } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { Event, ObjectReference } from "../../lib/gen/k8s/core/v1.ts";
import { coreEvents } from "../../lib/gen/k8s/resources.ts";

/** Tells people what happened to an object: never awaited, never a reason to fail. */
export interface EventRecorder {
  record(about: ObjectReference, type: "Normal" | "Warning", reason: string, message: string): void;
}

/** A repeated event is counted in its object for this long. */
const SAME_EVENT_MS = 10 * 60_000;
const REMEMBERED_LIMIT = 1_000;
/** More than this waiting means that the API is away: the oldest are dropped. */
const QUEUE_LIMIT = 500;

interface Remembered {
  readonly name: string;
  readonly namespace: string;
  count: number;
  lastMs: number;
}

/** Writes core/v1 Events one after the other; the same one again raises the count of the first. */
export class ApiEventRecorder implements EventRecorder {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #source: { component: string; host: string };
  readonly #queue: (() => Promise<void>)[] = [];
  readonly #remembered = new Map<string, Remembered>();
  #draining: Promise<void> | undefined;

  constructor(
    components: { api: ApiClient; clock: Clock; random: Random; log: Log },
    source: { component: string; host: string },
  ) {
    this.#api = components.api;
    this.#clock = components.clock;
    this.#random = components.random;
    this.#log = components.log;
    this.#source = source;
  }

  record(about: ObjectReference, type: "Normal" | "Warning", reason: string, message: string): void {
    const atMs = this.#clock.nowMs();
    if (this.#queue.length >= QUEUE_LIMIT) this.#queue.shift();
    this.#queue.push(() => this.#write(about, type, reason, message, atMs));
    this.#draining ??= this.#drain();
  }

  /** Resolves when everything recorded so far was written or given up. */
  async flush(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await next();
      } catch (error) {
        this.#log.debug("event not written", { error });
      }
    }
    this.#draining = undefined;
  }

  async #write(about: ObjectReference, type: string, reason: string, message: string, atMs: number): Promise<void> {
    const key = [about.kind, about.namespace, about.name, about.uid, about.fieldPath, type, reason, message].join("\n");
    const known = this.#remembered.get(key);
    if (known !== undefined && atMs - known.lastMs < SAME_EVENT_MS && (await this.#countAgain(known, atMs))) return;
    const namespace = about.namespace ?? "default";
    const name = `${about.name}.${Buffer.from(this.#random.bytes(8)).toString("hex")}`;
    const time = formatTime(atMs);
    const event: Event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: about,
      reason,
      message,
      source: this.#source,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type,
      reportingComponent: this.#source.component,
      reportingInstance: this.#source.host,
    };
    await this.#api.create(coreEvents, event);
    if (this.#remembered.size >= REMEMBERED_LIMIT) this.#remembered.clear();
    this.#remembered.set(key, { name, namespace, count: 1, lastMs: atMs });
  }

  async #countAgain(known: Remembered, atMs: number): Promise<boolean> {
    const body = { count: known.count + 1, lastTimestamp: formatTime(atMs) };
    try {
      await this.#api.patch(coreEvents, known, { type: "merge", body });
    } catch (thrown) {
      if (thrown instanceof StatusError && thrown.code === 404) return false;
      throw thrown;
    }
    known.count++;
    known.lastMs = atMs;
    return true;
  }
}
