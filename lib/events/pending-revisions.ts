import type { Change } from "./envelope.ts";
import { checkSum } from "./proven-revisions.ts";

/** The parts of one revision that were heard. */
export interface PendingRevision {
  readonly revision: number;
  previousRevision: number;
  readonly parts: (Change | undefined)[];
  missing: number;
}

/** What was heard and cannot be applied yet; bounded in revisions and bytes. */
export class PendingRevisions {
  readonly #byRevision = new Map<number, PendingRevision>();
  /** Rising; they mostly come so. */
  readonly #revisions: number[] = [];
  readonly #limits: { readonly revisions: number; readonly sizeBytes: number };
  #sizeBytes = 0;

  constructor(limits: { readonly revisions: number; readonly sizeBytes: number }) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#byRevision.size;
  }

  revisions(): number[] {
    return [...this.#revisions];
  }

  /** `full`: not taken. `contradiction`: another message said something else of the same place. */
  add(change: Change): "added" | "duplicate" | "full" | "contradiction" {
    let pending = this.#byRevision.get(change.revision);
    if (pending === undefined) {
      if (this.#byRevision.size >= this.#limits.revisions || change.parts > this.#limits.revisions) return "full";
      const { revision, previousRevision, parts } = change;
      pending = { revision, previousRevision, parts: new Array(parts).fill(undefined), missing: parts };
    }
    if (pending.parts.length !== change.parts) return "contradiction";
    const before = pending.parts[change.part];
    if (before !== undefined) {
      // Publishers know the stream back to their own start only, so the older claim says more.
      pending.previousRevision = Math.min(pending.previousRevision, change.previousRevision);
      return checkSum(before) === checkSum(change) ? "duplicate" : "contradiction";
    }
    if (this.#sizeBytes + change.object.length > this.#limits.sizeBytes) return "full";
    if (pending.missing === pending.parts.length) this.#insert(pending);
    pending.previousRevision = Math.min(pending.previousRevision, change.previousRevision);
    pending.parts[change.part] = change;
    pending.missing--;
    this.#sizeBytes += change.object.length;
    return "added";
  }

  /** The one of the lowest revision. */
  first(): PendingRevision | undefined {
    const revision = this.#revisions[0];
    return revision === undefined ? undefined : this.#byRevision.get(revision);
  }

  remove(revision: number): void {
    const pending = this.#byRevision.get(revision);
    if (pending === undefined) return;
    for (const part of pending.parts) this.#sizeBytes -= part?.object.length ?? 0;
    this.#byRevision.delete(revision);
    if (this.#revisions[0] === revision) this.#revisions.shift();
    else this.#revisions.splice(this.#revisions.indexOf(revision), 1);
  }

  #insert(pending: PendingRevision): void {
    const { revision } = pending;
    this.#byRevision.set(revision, pending);
    const at = this.#revisions.findLastIndex((other) => other < revision);
    this.#revisions.splice(at + 1, 0, revision);
  }
}
