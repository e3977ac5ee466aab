/** What the budget can empty. */
export interface Memo {
  forget(): void;
}

/** Beside what a memo holds: its entries in maps and in the queue. */
const OVERHEAD_BYTES = 256;

/**
 * Bounds what is kept beside the stored bytes. First in, first out: whoever needs a dropped object again decodes it again.
 * A memo with several parts goes as a whole, when its oldest part is due.
 */
export class MemoBudget {
  readonly #limitBytes: number;
  #queue: { memo: Memo; costBytes: number }[] = [];
  #head = 0;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  remember(memo: Memo, sizeBytes: number): void {
    const costBytes = sizeBytes + OVERHEAD_BYTES;
    this.#queue.push({ memo, costBytes });
    this.#usedBytes += costBytes;
    while (this.#usedBytes > this.#limitBytes && this.#head < this.#queue.length - 1) {
      const oldest = this.#queue[this.#head++]!;
      this.#usedBytes -= oldest.costBytes;
      if (oldest.memo !== memo) oldest.memo.forget();
    }
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}
