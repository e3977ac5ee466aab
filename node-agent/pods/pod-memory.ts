import type { WaitingReason } from "./container-status.ts";

/**
 * What the agent remembers of a pod between two steps and can lose without harm: everything that matters is in the API and
 * in the runtime.
 */
export class PodMemory {
  readonly #waiting = new Map<string, Map<string, WaitingReason>>();
  readonly #firstSeenMs = new Map<string, number>();
  readonly #messages = new Map<string, string>();
  readonly #containersOf = new Map<string, Set<string>>();

  waiting(podUid: string, container: string): WaitingReason | undefined {
    return this.#waiting.get(podUid)?.get(container);
  }

  setWaiting(podUid: string, container: string, reason: WaitingReason | undefined): void {
    const reasons = this.#waiting.get(podUid) ?? new Map<string, WaitingReason>();
    this.#waiting.set(podUid, reasons);
    if (reason === undefined) reasons.delete(container);
    else reasons.set(container, reason);
  }

  /** When this agent first saw the container dead, on the monotonic clock: wall clocks jump. */
  deadSinceMs(podUid: string, containerId: string, nowMs: number): number {
    const known = this.#firstSeenMs.get(containerId);
    if (known !== undefined) return known;
    this.#firstSeenMs.set(containerId, nowMs);
    this.#note(podUid, containerId);
    return nowMs;
  }

  message(containerId: string): string | undefined {
    return this.#messages.get(containerId);
  }

  setMessage(podUid: string, containerId: string, message: string): void {
    this.#messages.set(containerId, message);
    this.#note(podUid, containerId);
  }

  /** Forgets containers that are gone: a crash loop makes new ones for ever. */
  retain(podUid: string, containerIds: ReadonlySet<string>): void {
    const known = this.#containersOf.get(podUid);
    for (const id of known ?? []) {
      if (containerIds.has(id)) continue;
      this.#firstSeenMs.delete(id);
      this.#messages.delete(id);
      known?.delete(id);
    }
  }

  forget(podUid: string): void {
    this.retain(podUid, new Set());
    this.#waiting.delete(podUid);
    this.#containersOf.delete(podUid);
  }

  #note(podUid: string, containerId: string): void {
    const ids = this.#containersOf.get(podUid) ?? new Set<string>();
    ids.add(containerId);
    this.#containersOf.set(podUid, ids);
  }
}
