import type { Change } from "./envelope.ts";

const LIMIT = 4_096;

/**
 * The newest revisions of one stream that were applied, with a check sum of each part where it came by the bus. Between
 * `floor` and the newest one every revision of the stream is here, so any other one was never the store's.
 */
export class ProvenRevisions {
  #revisions: number[] = [];
  readonly #sums = new Map<number, readonly number[]>();
  #floor = 0;

  get floor(): number {
    return this.#floor;
  }

  /** Forgets all; whatever lies at or below `floor` is not known any more. */
  reset(floor: number): void {
    this.#revisions = [];
    this.#sums.clear();
    this.#floor = floor;
  }

  /** Revisions come in rising order. */
  add(revision: number, sums: readonly number[]): void {
    if (this.#revisions.at(-1) === revision) return;
    this.#revisions.push(revision);
    if (sums.length > 0) this.#sums.set(revision, sums);
    if (this.#revisions.length <= LIMIT) return;
    for (const old of this.#revisions.splice(0, LIMIT / 2)) {
      this.#sums.delete(old);
      this.#floor = old;
    }
  }

  has(revision: number): boolean {
    return this.#revisions.at(-1) === revision || this.#revisions.includes(revision);
  }

  /** The newest one up to and including `through`; undefined when none is known. */
  lastThrough(through: number): number | undefined {
    return this.#revisions.findLast((revision) => revision <= through);
  }

  /** Whether a message at or below the newest revision may have been the store's. */
  agreesWith(change: Change): boolean {
    if (change.revision <= this.#floor) return true;
    if (!this.has(change.revision)) return false;
    const sums = this.#sums.get(change.revision);
    return sums === undefined || sums[change.part] === checkSum(change);
  }
}

/** FNV-1a of what a change says, whoever published it. Finds differences; proves nothing against who wants a collision. */
export function checkSum(change: Change): number {
  let hash = 0x811c9dc5;
  const mix = (byte: number) => {
    hash = Math.imul(hash ^ byte, 0x01000193);
  };
  const { operation, namespace, name, parts, identityOnly } = change;
  for (const character of `${operation}/${namespace}/${name}/${parts}/${identityOnly}`) mix(character.codePointAt(0)!);
  for (const byte of change.object) mix(byte);
  return hash;
}
