import type { ApiClient } from "../client/api-client.ts";
import type { ApiObject } from "../client/api-object.ts";
import { type Clock, formatTime } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Startable } from "../core/startable.ts";
import { asStatusError } from "../core/status-error.ts";
import type { Event, ObjectReference } from "../gen/k8s/core/v1.ts";
import { coreEvents } from "../gen/k8s/resources.ts";
import { RecentMap } from "./recent-map.ts";

export interface EventRecorderOptions {
  /** Shown by `kubectl describe` as the source, `default-scheduler` for example. */
  readonly component: string;
  readonly host?: string;
}

interface Said {
  readonly key: string;
  readonly object: ObjectReference;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

interface Written {
  readonly namespace: string;
  readonly name: string;
  readonly count: number;
}

/** Limits as upstream's recorder has them; source: kubernetes/client-go:tools/record/events_cache.go. */
const REMEMBERED = 4_096;
const BURST = 25;
const REFILL_MS = 300_000;
const SIMILAR_MAX = 10;
const SIMILAR_WINDOW_MS = 600_000;
const PENDING_MAX = 1_000;
const TRIES = 12;
const RETRY_MS = 10_000;

/**
 * Tells people what happened to an object, as core/v1 Events: the same again raises a count, many alike are combined,
 * a source that will not stop is throttled per object. Never waits and never fails the caller; when the API is away
 * for long, the newest are dropped and counted.
 */
export class EventRecorder implements Startable {
  /** Events not written: throttled, or too many pending. */
  dropped = 0;
  private readonly components: { api: ApiClient; clock: Clock; log: Log };
  private readonly options: EventRecorderOptions;
  private readonly pending: Said[] = [];
  private readonly written = new RecentMap<Written>(REMEMBERED);
  private readonly budgets = new RecentMap<{ tokens: number; atMs: number }>(REMEMBERED);
  private readonly similar = new RecentMap<{ messages: Set<string>; sinceMs: number }>(REMEMBERED);
  private readonly stopper = new AbortController();
  private wake: (() => void) | undefined;
  private running: Promise<void> | undefined;
  private serial = 0n;

  constructor(components: { api: ApiClient; clock: Clock; log: Log }, options: EventRecorderOptions) {
    this.components = components;
    this.options = options;
  }

  async start(): Promise<void> {
    this.running ??= this.run();
  }

  /** What is pending is still tried once. */
  async stop(): Promise<void> {
    this.stopper.abort(new Error("the event recorder was stopped"));
    this.wake?.();
    await this.running;
  }

  record(about: ApiObject | ObjectReference, type: "Normal" | "Warning", reason: string, message: string): void {
    const object = referenceTo(about);
    const objectKey = `${object.kind}/${object.namespace ?? ""}/${object.name}/${object.uid ?? ""}`;
    if (!this.afford(objectKey) || this.pending.length >= PENDING_MAX) {
      this.dropped++;
      return;
    }
    const alike = `${objectKey}/${object.fieldPath ?? ""}/${type}/${reason}`;
    const combined = this.isOneOfMany(alike, message);
    const key = combined ? `${alike}/` : `${alike}/${message}`;
    const text = combined ? `(combined from similar events): ${message}` : message;
    this.pending.push({ key, object, type, reason, message: text });
    this.wake?.();
  }

  private afford(objectKey: string): boolean {
    const nowMs = this.components.clock.monotonicMs();
    const budget = this.budgets.get(objectKey) ?? { tokens: BURST, atMs: nowMs };
    const tokens = Math.min(BURST, budget.tokens + (nowMs - budget.atMs) / REFILL_MS);
    this.budgets.set(objectKey, { tokens: Math.max(0, tokens - 1), atMs: nowMs });
    return tokens >= 1;
  }

  private isOneOfMany(alike: string, message: string): boolean {
    const nowMs = this.components.clock.monotonicMs();
    let seen = this.similar.get(alike);
    if (seen === undefined || nowMs - seen.sinceMs > SIMILAR_WINDOW_MS) seen = { messages: new Set(), sinceMs: nowMs };
    if (seen.messages.size < SIMILAR_MAX) seen.messages.add(message);
    this.similar.set(alike, seen);
    return !seen.messages.has(message);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopper;
    for (;;) {
      const said = this.pending.shift();
      if (said !== undefined) await this.writeOrDrop(said);
      else if (signal.aborted) return;
      else
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
    }
  }

  private async writeOrDrop(said: Said): Promise<void> {
    const { clock, log } = this.components;
    const { signal } = this.stopper;
    for (let tries = 1; ; tries++) {
      try {
        await this.write(said);
        return;
      } catch (thrown) {
        const error = asStatusError(thrown);
        const refused = error.code >= 400 && error.code < 500 && error.code !== 429;
        if (refused || tries === TRIES || signal.aborted) {
          this.dropped++;
          log.debug("an event was not written", { reason: said.reason, error: error.message });
          return;
        }
        await clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
  }

  private async write(said: Said): Promise<void> {
    const { api, clock } = this.components;
    const now = formatTime(clock.nowMs());
    const before = this.written.get(said.key);
    if (before !== undefined) {
      const count = before.count + 1;
      const body = { count, lastTimestamp: now, message: said.message };
      try {
        await api.patch(coreEvents, { namespace: before.namespace, name: before.name }, { type: "merge", body });
        this.written.set(said.key, { ...before, count });
        return;
      } catch (thrown) {
        if (asStatusError(thrown).code !== 404) throw thrown;
      }
    }
    const event = this.draft(said, now);
    await api.create(coreEvents, event);
    const { namespace = "", name = "" } = event.metadata ?? {};
    this.written.set(said.key, { namespace, name, count: 1 });
  }

  private draft(said: Said, now: string): Event {
    const { component, host } = this.options;
    this.serial++;
    const nanos = BigInt(Math.floor(this.components.clock.nowMs())) * 1_000_000n + this.serial;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: {
        name: `${said.object.name}.${nanos.toString(16)}`,
        namespace: said.object.namespace ?? "default",
      },
      involvedObject: said.object,
      type: said.type,
      reason: said.reason,
      message: said.message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      ...(host === undefined ? {} : { reportingInstance: host }),
    };
  }
}

function referenceTo(about: ApiObject | ObjectReference): ObjectReference {
  if (!("metadata" in about) || about.metadata === undefined) return about;
  const { apiVersion, kind, metadata } = about;
  const { namespace, name, uid, resourceVersion } = metadata;
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}
