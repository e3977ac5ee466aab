import type { SlotNames } from "./slot-names.ts";

/**
 * Room for the members of the objects that are being written, one frame within the other. One array for all of them is
 * much cheaper than an array for each object.
 */
export class SlotStack {
  readonly values: unknown[] = [];
  #top = 0;

  /**
   * Spreads an object's members over a new frame by the slots of its schema and gives the frame's first index; nulls count
   * as absent, which is undefined. The slot after the last is true.
   */
  push(object: Record<string, unknown>, names: SlotNames): number {
    const { values } = this;
    const base = this.#top;
    const end = base + names.names.length;
    for (let index = base; index < end; index++) {
      values[index] = undefined;
    }
    values[end] = true;
    this.#top = end + 1;
    let previous = -1;
    for (const name in object) {
      const slot = names.slotOf(name, previous);
      if (slot >= 0) {
        values[base + slot] = object[name] ?? undefined;
        previous = slot;
      }
    }
    return base;
  }

  pop(base: number): void {
    this.#top = base;
  }

  /** Lets go of all frames and of what they held. */
  clear(): void {
    this.#top = 0;
    if (this.values.length > MAX_KEPT) {
      this.values.length = 0;
    }
  }
}

const MAX_KEPT = 4096;
