import { crc32 } from "node:zlib";
import type { Change } from "./envelope.ts";

const LIMIT = 4_096;

/**
 * The newest revisions of one stream that were applied, with a check sum of each part where it came by the bus. Between
 * `floor` and the newest one every revision of the stream is here, so any other one was never the store's.
 */
export class ProvenRevisions {
  #revisions: number[] = [];
  /** Of the revision at the same place; there are thousands for each stream, so one part has no list of its own. */
  #sums: (number | readonly number[] | undefined)[] = [];
  #floor = 0;

  get floor(): number {
    return this.#floor;
  }

  /** Forgets all; whatever lies at or below `floor` is not known any more. */
  reset(floor: number): void {
    this.#revisions = [];
    this.#sums = [];
    this.#floor = floor;
  }

  /** Revisions come in rising order; `parts` is empty for one that was not heard on the bus. */
  add(revision: number, parts: readonly Change[]): void {
    if (this.#revisions.at(-1) === revision) return;
    this.#revisions.push(revision);
    this.#sums.push(parts.length > 1 ? parts.map(checkSum) : parts[0] && checkSum(parts[0]));
    if (this.#revisions.length <= LIMIT) return;
    this.#floor = this.#revisions.splice(0, LIMIT / 2).at(-1)!;
    this.#sums.splice(0, LIMIT / 2);
  }

  has(revision: number): boolean {
    return this.lastThrough(revision) === revision;
  }

  /** The newest one up to and including `through`; undefined when none is known. */
  lastThrough(through: number): number | undefined {
    return this.#revisions[this.#countThrough(through) - 1];
  }

  /** Whether a message at or below the newest revision may have been the store's. */
  agreesWith(change: Change): boolean {
    if (change.revision <= this.#floor) return true;
    const at = this.#countThrough(change.revision) - 1;
    if (this.#revisions[at] !== change.revision) return false;
    const sums = this.#sums[at];
    if (sums === undefined) return true;
    return checkSum(change) === (typeof sums === "number" ? sums : sums[change.part]);
  }

  /** How many are not above `through`. */
  #countThrough(through: number): number {
    let to = this.#revisions.length;
    if (to === 0 || this.#revisions[to - 1]! <= through) return to;
    let from = 0;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#revisions[middle]! <= through) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

/** CRC-32 of what a change says, whoever published it. Finds differences; proves nothing against who wants a collision. */
export function checkSum(change: Change): number {
  const { operation, namespace, name, part, parts, identityOnly } = change;
  return crc32(change.object, crc32(`${operation}/${namespace}/${name}/${part}/${parts}/${identityOnly}`)) | 0;
}
