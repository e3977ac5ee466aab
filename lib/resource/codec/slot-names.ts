/**
 * Names of members and the slots that they have in a schema. Members mostly follow each other in the same order, so the slot
 * that came after the previous one the last time is tried first, which is twice as fast as a Map.
 */
export class SlotNames {
  readonly names: readonly string[];
  readonly #slots: ReadonlyMap<string, number>;
  /** By slot plus one: the slot that came next the last time. */
  readonly #next: number[];

  constructor(names: readonly string[]) {
    // As property keys, which the engine keeps once each, so that comparing equal ones is comparing pointers.
    this.names = names.map((name) => Object.keys({ [name]: 0 })[0]!);
    this.#slots = new Map(this.names.map((name, slot) => [name, slot]));
    this.#next = [0, ...names.map((_, slot) => slot)];
  }

  /** The slot of a member that follows the one in slot `previous` (-1: none); -1 when the schema has no such member. */
  slotOf(name: string, previous: number): number {
    const guess = this.#next[previous + 1]!;
    if (this.names[guess] === name) {
      return guess;
    }
    const slot = this.#slots.get(name);
    if (slot === undefined) {
      return -1;
    }
    this.#next[previous + 1] = slot;
    return slot;
  }
}
