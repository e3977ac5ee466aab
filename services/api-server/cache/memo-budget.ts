/** What the budget can empty. */
export interface Memo {
  readonly sizeBytes: number;
  forget(): void;
}

/**
 * Bounds what is kept beside the stored bytes. First in, first out: whoever needs a dropped object again decodes it again.
 * The size of a memo is taken as a multiple of the stored bytes, since nobody can measure a JavaScript object.
 */
export class MemoBudget {
  readonly #limitBytes: number;
  #queue: Memo[] = [];
  #head = 0;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  remember(memo: Memo): void {
    this.#queue.push(memo);
    this.#usedBytes += costBytes(memo);
    while (this.#usedBytes > this.#limitBytes && this.#head < this.#queue.length - 1) {
      const oldest = this.#queue[this.#head++]!;
      this.#usedBytes -= costBytes(oldest);
      oldest.forget();
    }
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** An object takes about five times its bytes, its JSON about twice. */
function costBytes(memo: Memo): number {
  return 512 + memo.sizeBytes * 8;
}
