import { formatNanoTime } from "../../../lib/core/clock.ts";
import type { LogFile } from "../runtime.ts";
import type { Behaviour } from "./behaviour.ts";

/** What a simulated container has printed by now, in the CRI's line format: computed, never stored. */
export class SimulatedLog implements LogFile {
  readonly #behaviour: Behaviour;
  readonly #startedAtMs: number;
  /** The moment up to which it printed: its end, or now. */
  readonly #untilMs: () => number;
  #text: Uint8Array = new Uint8Array(0);
  #lines = 0;

  constructor(behaviour: Behaviour, startedAtMs: number, untilMs: () => number) {
    this.#behaviour = behaviour;
    this.#startedAtMs = startedAtMs;
    this.#untilMs = untilMs;
  }

  async sizeBytes(): Promise<number> {
    return this.#render().length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.#render().subarray(offset, offset + length);
  }

  async replaced(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {}

  #render(): Uint8Array {
    const first = this.#behaviour.log ?? [];
    const tick = this.#behaviour.tick;
    const ticks =
      tick === undefined ? 0 : Math.floor((this.#untilMs() - this.#startedAtMs) / Math.max(1, tick.everyMs));
    const added: string[] = [];
    for (let n = this.#lines; n < first.length + ticks; n++) {
      const tickNumber = n - first.length + 1;
      const text = n < first.length ? first[n]! : tick!.line.replaceAll("{n}", String(tickNumber));
      const atMs = n < first.length ? this.#startedAtMs : this.#startedAtMs + tickNumber * tick!.everyMs;
      added.push(`${formatNanoTime(atMs)} stdout F ${text}\n`);
    }
    if (added.length > 0) {
      this.#text = Buffer.concat([this.#text, Buffer.from(added.join(""))]);
      this.#lines += added.length;
    }
    return this.#text;
  }
}
