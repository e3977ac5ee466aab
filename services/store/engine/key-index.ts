/** Where the newest version of a live key is. Never changed in place. */
export interface IndexEntry {
  /** Key bytes as a Latin-1 string, whose order is the order of the bytes. */
  readonly key: string;
  /** Row of the version in the database. */
  readonly id: number;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
}

const CHUNK_LIMIT = 512;

/** All live keys in memory: point look-ups by a map, ranges by sorted chunks of keys. */
export class KeyIndex {
  readonly #entries = new Map<string, IndexEntry>();
  /** Sorted; no chunk is empty, except that there is always one. */
  #chunks: string[][] = [[]];

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): IndexEntry | undefined {
    return this.#entries.get(key);
  }

  set(entry: IndexEntry): void {
    if (!this.#entries.has(entry.key)) this.#insert(entry.key);
    this.#entries.set(entry.key, entry);
  }

  delete(key: string): void {
    if (!this.#entries.delete(key)) return;
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at]!;
    chunk.splice(lowerBound(chunk, key), 1);
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1);
  }

  /** Fills an empty index from entries in key order. */
  load(entries: Iterable<IndexEntry>): void {
    const chunks: string[][] = [];
    let chunk: string[] = [];
    for (const entry of entries) {
      if (chunk.length === CHUNK_LIMIT / 2) {
        chunks.push(chunk);
        chunk = [];
      }
      chunk.push(entry.key);
      this.#entries.set(entry.key, entry);
    }
    chunks.push(chunk);
    this.#chunks = chunks;
  }

  /** Entries with `from` <= key < `to` in key order; `to` undefined: to the end. Not to be changed meanwhile. */
  *range(from: string, to: string | undefined): Generator<IndexEntry> {
    for (let at = this.#chunkOf(from); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]!;
      for (let i = lowerBound(chunk, from); i < chunk.length; i++) {
        const key = chunk[i]!;
        if (to !== undefined && key >= to) return;
        yield this.#entries.get(key)!;
      }
    }
  }

  /** Number of keys with `from` <= key < `to`. */
  count(from: string, to: string | undefined): number {
    if (to !== undefined && to <= from) return 0;
    const first = this.#chunkOf(from);
    const last = to === undefined ? this.#chunks.length - 1 : this.#chunkOf(to);
    let total = 0;
    for (let at = first; at <= last; at++) {
      const chunk = this.#chunks[at]!;
      const start = at === first ? lowerBound(chunk, from) : 0;
      const end = at === last && to !== undefined ? lowerBound(chunk, to) : chunk.length;
      total += end - start;
    }
    return total;
  }

  #insert(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at]!;
    chunk.splice(lowerBound(chunk, key), 0, key);
    if (chunk.length > CHUNK_LIMIT) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_LIMIT / 2));
  }

  /** The chunk that holds `key` or would: the last whose first key is not above it. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#chunks[middle]![0]! <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Index of the first key that is not below `key`. */
function lowerBound(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (chunk[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
