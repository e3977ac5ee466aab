import type { Bus, BusHandler, BusStatus } from "./bus.ts";
import { subjectMatches } from "./subjects.ts";

interface Subscriber {
  readonly pattern: string;
  readonly handler: BusHandler;
  queue: { readonly subject: string; readonly bytes: Uint8Array }[];
}

/** The bus of one process. Hearers run after the publisher's turn; who falls behind loses all that waits, as a gap. */
export class MemoryBus implements Bus {
  readonly #subscribers = new Set<Subscriber>();
  readonly #bufferLimit: number;
  #status: BusStatus = "away";
  #flushing = false;

  /** `bufferLimit`: messages that may wait for one hearer. */
  constructor(options: { readonly bufferLimit?: number } = {}) {
    this.#bufferLimit = options.bufferLimit ?? 10_000;
  }

  async start(): Promise<void> {
    this.#status = "connected";
    for (const { handler } of this.#subscribers) handler.gap("started");
  }

  async stop(): Promise<void> {
    this.#status = "away";
    for (const subscriber of this.#subscribers) subscriber.queue = [];
  }

  status(): BusStatus {
    return this.#status;
  }

  publish(subject: string, bytes: Uint8Array): boolean {
    if (this.#status === "away") return false;
    for (const subscriber of this.#subscribers) {
      if (!subjectMatches(subscriber.pattern, subject)) continue;
      if (subscriber.queue.length >= this.#bufferLimit) {
        subscriber.queue = [];
        subscriber.handler.gap("overflow");
      }
      // Hearers own what they hear; they may keep it while the publisher uses its buffer again.
      subscriber.queue.push({ subject, bytes: Uint8Array.from(bytes) });
    }
    if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => this.#flush());
    }
    return true;
  }

  async subscribe(pattern: string, handler: BusHandler, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const subscriber: Subscriber = { pattern, handler, queue: [] };
    this.#subscribers.add(subscriber);
    const end = () => {
      subscriber.queue = [];
      this.#subscribers.delete(subscriber);
    };
    signal.addEventListener("abort", end, { once: true });
  }

  #flush(): void {
    this.#flushing = false;
    for (const subscriber of this.#subscribers) {
      const { queue } = subscriber;
      subscriber.queue = [];
      for (const { subject, bytes } of queue) {
        if (!this.#subscribers.has(subscriber)) break;
        subscriber.handler.message(subject, bytes);
      }
    }
  }
}
