import type { Clock, Timer } from "../../../lib/core/clock.ts";
import type { PodInfo } from "../nodes/pod-info.ts";
import type { ClusterEvent, Filter } from "../plugins/filter.ts";
import { PodHeap } from "./pod-heap.ts";

/** A pod that waits for a node. */
export interface QueuedPod {
  readonly key: string;
  readonly info: PodInfo;
  /** Order among pods of one priority. */
  readonly serial: number;
  readonly attempts: number;
  /** True when time, not a change, caused this attempt. */
  readonly byTime: boolean;
}

type Place = "active" | "backing-off" | "unschedulable" | "taken";

interface Unschedulable {
  readonly pod: QueuedPod;
  /** Filters that refused; none when the failure had another cause. */
  readonly filters: ReadonlySet<string>;
  readonly sinceMs: number;
  /** Not before this time may it be tried again. */
  readonly readyMs: number;
}

const BACK_OFF_MS = 1_000;
const BACK_OFF_MAX_MS = 10_000;
/** Wake-ups are exact; this is the net under them, inside the 60 s of invariant 42. */
const LEFTOVER_MS = 45_000;
const LEFTOVER_CHECK_MS = 15_000;

/**
 * Pods that wait: ready ones by priority, failed ones until their back-off has passed, and ones that fit nowhere until
 * something happens that concerns a filter that refused them. What happens while a pod is being tried counts for it too,
 * so that no wake-up is lost.
 */
export class SchedulingQueue {
  private readonly clock: Clock;
  private readonly wakers: ReadonlyMap<ClusterEvent, ReadonlySet<string>>;
  private readonly active = new PodHeap<QueuedPod>(comesFirst);
  private readonly backingOff = new Map<string, { readonly pod: QueuedPod; readonly timer: Timer }>();
  private readonly unschedulable = new Map<string, Unschedulable>();
  private readonly taken = new Map<string, { readonly pod: QueuedPod; readonly atChange: number }>();
  private readonly lastChange = new Map<ClusterEvent, number>();
  private changes = 0;
  private serial = 0;
  private leftoverTimer: Timer | undefined;
  private waiter: ((pod: QueuedPod | undefined) => void) | undefined;
  private closed = false;

  constructor(components: { clock: Clock }, options: { filters: readonly Filter[] }) {
    this.clock = components.clock;
    const wakers = new Map<ClusterEvent, Set<string>>();
    for (const filter of options.filters) {
      for (const event of filter.wokenBy) wakers.set(event, (wakers.get(event) ?? new Set()).add(filter.name));
    }
    this.wakers = wakers;
  }

  /** Pods per place, by upstream's names of the `queue` label of `scheduler_pending_pods`. */
  counts(): { active: number; backoff: number; unschedulable: number } {
    return { active: this.active.size, backoff: this.backingOff.size, unschedulable: this.unschedulable.size };
  }

  placeOf(key: string): Place | undefined {
    if (this.taken.has(key)) return "taken";
    if (this.active.has(key)) return "active";
    if (this.backingOff.has(key)) return "backing-off";
    return this.unschedulable.has(key) ? "unschedulable" : undefined;
  }

  /** A pod came, or changed in a way that may let it fit. */
  put(info: PodInfo): void {
    const taken = this.taken.get(info.key);
    if (taken !== undefined) {
      this.taken.set(info.key, { pod: { ...taken.pod, info }, atChange: -1 });
      return;
    }
    const earlier = this.remove(info.key);
    const serial = earlier?.serial ?? this.serial++;
    this.activate({ key: info.key, info, serial, attempts: earlier?.attempts ?? 0, byTime: false });
  }

  /** The pod is bound, deleted, or no longer ours. */
  remove(key: string): QueuedPod | undefined {
    const taken = this.taken.get(key);
    this.taken.delete(key);
    const backing = this.backingOff.get(key);
    backing?.timer.cancel();
    this.backingOff.delete(key);
    const waiting = this.unschedulable.get(key);
    this.unschedulable.delete(key);
    return this.active.remove(key) ?? backing?.pod ?? waiting?.pod ?? taken?.pod;
  }

  /** The next pod to try; undefined when closed. `failed` or `remove` must follow. */
  take(): Promise<QueuedPod | undefined> {
    if (this.closed) return Promise.resolve(undefined);
    const pod = this.active.pop();
    if (pod === undefined) {
      return new Promise((resolve) => {
        this.waiter = resolve;
      });
    }
    return Promise.resolve(this.hand(pod));
  }

  /** The attempt failed: by these filters, or for another cause (then the back-off alone decides). */
  failed(pod: QueuedPod, filters: ReadonlySet<string>): void {
    const taken = this.taken.get(pod.key);
    this.taken.delete(pod.key);
    if (taken === undefined || this.closed) return;
    const next = { ...taken.pod, attempts: pod.attempts + 1 };
    const delayMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** Math.min(pod.attempts, 10));
    const nowMs = this.clock.monotonicMs();
    if (filters.size === 0 || taken.atChange < 0 || this.changedSince(taken.atChange, filters)) {
      this.backOff(next, delayMs);
      return;
    }
    this.unschedulable.set(pod.key, { pod: next, filters, sinceMs: nowMs, readyMs: nowMs + delayMs });
    this.watchLeftovers();
  }

  /** Something happened that may let pods fit. */
  wake(event: ClusterEvent): void {
    this.lastChange.set(event, ++this.changes);
    const names = this.wakers.get(event);
    if (names === undefined) return;
    for (const waiting of [...this.unschedulable.values()]) {
      if (intersects(waiting.filters, names)) this.release(waiting, false);
    }
  }

  close(): void {
    this.closed = true;
    this.leftoverTimer?.cancel();
    for (const { timer } of this.backingOff.values()) timer.cancel();
    this.backingOff.clear();
    this.unschedulable.clear();
    this.taken.clear();
    this.waiter?.(undefined);
    this.waiter = undefined;
  }

  private hand(pod: QueuedPod): QueuedPod {
    this.taken.set(pod.key, { pod, atChange: this.changes });
    return pod;
  }

  private activate(pod: QueuedPod): void {
    if (this.closed) return;
    const { waiter } = this;
    if (waiter === undefined) {
      this.active.push(pod);
      return;
    }
    this.waiter = undefined;
    waiter(this.hand(pod));
  }

  private backOff(pod: QueuedPod, delayMs: number): void {
    const timer = this.clock.after(delayMs, () => {
      this.backingOff.delete(pod.key);
      this.activate(pod);
    });
    this.backingOff.set(pod.key, { pod, timer });
  }

  private release(waiting: Unschedulable, byTime: boolean): void {
    const pod = { ...waiting.pod, byTime };
    this.unschedulable.delete(pod.key);
    const leftMs = waiting.readyMs - this.clock.monotonicMs();
    if (leftMs > 0) this.backOff(pod, leftMs);
    else this.activate(pod);
  }

  private changedSince(change: number, filters: ReadonlySet<string>): boolean {
    for (const [event, at] of this.lastChange) {
      if (at > change && intersects(filters, this.wakers.get(event) ?? new Set())) return true;
    }
    return false;
  }

  private watchLeftovers(): void {
    this.leftoverTimer ??= this.clock.after(LEFTOVER_CHECK_MS, () => {
      this.leftoverTimer = undefined;
      const nowMs = this.clock.monotonicMs();
      for (const waiting of [...this.unschedulable.values()]) {
        if (nowMs - waiting.sinceMs >= LEFTOVER_MS - LEFTOVER_CHECK_MS) this.release(waiting, true);
      }
      if (this.unschedulable.size > 0) this.watchLeftovers();
    });
  }
}

function comesFirst(a: QueuedPod, b: QueuedPod): boolean {
  return a.info.priority === b.info.priority ? a.serial < b.serial : a.info.priority > b.info.priority;
}

function intersects(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  for (const value of a) if (b.has(value)) return true;
  return false;
}
