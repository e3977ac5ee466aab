import type { Clock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import type { Bus, BusHandler, BusStatus } from "../bus.ts";

/** Chances from 0 to 1 of each fault, for each message and hearer. */
export interface Faults {
  readonly loss?: number;
  readonly duplication?: number;
  /** A delayed message comes up to `delayMs` later than those after it. */
  readonly delay?: number;
  readonly delayMs?: number;
  /** The end is cut off. */
  readonly truncation?: number;
}

/** A bus that loses, doubles, delays, reorders and cuts what it carries, from a seed. */
export class FaultyBus implements Bus {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #random: Random;
  faults: Faults = {};
  /** Loses exactly those messages for which it answers true. */
  loses: (subject: string) => boolean = () => false;

  constructor(components: { readonly bus: Bus; readonly clock: Clock; readonly random: Random }) {
    this.#bus = components.bus;
    this.#clock = components.clock;
    this.#random = components.random;
  }

  start(): Promise<void> {
    return this.#bus.start();
  }

  stop(): Promise<void> {
    return this.#bus.stop();
  }

  status(): BusStatus {
    return this.#bus.status();
  }

  publish(subject: string, bytes: Uint8Array): boolean {
    return this.#bus.publish(subject, bytes);
  }

  subscribe(pattern: string, handler: BusHandler, signal: AbortSignal): Promise<void> {
    const message = (subject: string, bytes: Uint8Array) => {
      if (this.loses(subject) || this.#happens(this.faults.loss)) return;
      const cut = this.#happens(this.faults.truncation);
      const kept = cut ? bytes.subarray(0, Math.floor(this.#random.float() * bytes.length)) : bytes;
      this.#deliver(handler, subject, kept);
      if (this.#happens(this.faults.duplication)) this.#deliver(handler, subject, kept);
    };
    return this.#bus.subscribe(pattern, { message, gap: (reason) => handler.gap(reason) }, signal);
  }

  #deliver(handler: BusHandler, subject: string, bytes: Uint8Array): void {
    if (!this.#happens(this.faults.delay)) handler.message(subject, bytes);
    else {
      const delayMs = this.#random.float() * (this.faults.delayMs ?? 1_000);
      this.#clock.after(delayMs, () => handler.message(subject, bytes));
    }
  }

  #happens(chance = 0): boolean {
    return chance > 0 && this.#random.float() < chance;
  }
}
