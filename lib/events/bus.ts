import type { Startable } from "../core/startable.ts";

/** `away`: nothing is heard and what is published is dropped; the bus reconnects by itself. */
export type BusStatus = "connected" | "away";

/** What a subscriber is told; both are called synchronously and must not throw. */
export interface BusHandler {
  /** `bytes` belong to the hearer. */
  message(subject: string, bytes: Uint8Array): void;
  /** Messages may have been lost here (away, reconnection, overflow): whoever counts on them must prove what it has. */
  gap(reason: string): void;
}

/**
 * Publish and subscribe by subject, at most once: any message may be lost, doubled or late, so hearers prove what they
 * have (docs/events.md). Buffers are bounded; what does not fit is dropped and told as a gap to whom it can be told.
 */
export interface Bus extends Startable {
  /** Never waits and never throws for want of a connection; false: dropped. */
  publish(subject: string, bytes: Uint8Array): boolean;
  /**
   * Hears `pattern` (`*`: one token, `>`: one or more at the end) until `signal` is aborted, through reconnections.
   * Resolves when what is published afterwards will be heard, or the bus is away.
   */
  subscribe(pattern: string, handler: BusHandler, signal: AbortSignal): Promise<void>;
  status(): BusStatus;
}
