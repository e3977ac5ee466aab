import type { Clock, Timer } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { asStatusError, expired, serviceUnavailable } from "../core/status-error.ts";
import type { Bus } from "./bus.ts";
import { type Change, decodeEvent, type Heads } from "./envelope.ts";
import { FollowerCounts, type Refusal } from "./follower-counts.ts";
import { type PendingRevision, PendingRevisions } from "./pending-revisions.ts";
import { ProvenRevisions } from "./proven-revisions.ts";
import type { ObjectChange, SourceBatch, StreamSink, StreamSource } from "./stream-source.ts";
import { type StreamIdentity, Subjects, streamName } from "./subjects.ts";

export interface FollowerComponents<T> {
  readonly bus: Bus;
  readonly source: StreamSource<T>;
  readonly sink: StreamSink<T>;
  /** The object of a change that has one, as the source would give it; throws when its bytes are not of it. */
  readonly decode: (change: Change) => T;
  /** Whether the epoch is still the store's; asked while the bus is silent. Default: always. */
  readonly isOurEpoch?: () => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
  /** Counted here, where the counts of several are wanted. */
  readonly counts?: FollowerCounts;
}

export interface FollowerOptions {
  readonly cluster: string;
  readonly epoch: string;
  readonly stream: StreamIdentity;
  /** How long a message out of order may wait for what comes before it. Default 50. */
  readonly gapWaitMs?: number;
  /** Without heads for so long the bus counts as silent. Default 3,000. */
  readonly silenceMs?: number;
  /** After a failure of the API. Default 1,000. */
  readonly retryMs?: number;
}

const PENDING_LIMITS = { revisions: 4_096, sizeBytes: 16 * 1024 * 1024 };
const EXPIRED = 410;
/** What waited is applied in turns of so many revisions, since each decodes objects. */
const SLICE_REVISIONS = 100;

/**
 * Follows one stream over the bus and proves that it missed nothing: every revision up to `coveredRevision` is applied.
 * A message is applied when the one before it is; a gap, a head that was not heard of, or an object that did not fit have
 * the API asked for what came after the last proven revision. While the bus is silent, that question stays open as a watch.
 */
export class StreamFollower<T> {
  readonly counts: FollowerCounts;
  readonly #components: FollowerComponents<T>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: FollowerOptions;
  readonly #stream: string;
  readonly #ending = new AbortController();
  readonly #pending = new PendingRevisions(PENDING_LIMITS);
  readonly #proven = new ProvenRevisions();
  #covered = 0;
  /** A revision that heads tell of and that is not covered; 0: none. */
  #expected = 0;
  /** The newest ones that came while the API was asked. */
  #laterHeads: Heads | undefined;
  /** Heads in a row that lie below what is covered. */
  #lowHeads = 0;
  #wantsResume = false;
  /** What waits is being applied, with turns of everybody else between. */
  #isDraining = false;
  #asking: Promise<void> | undefined;
  /** Nobody was heard to publish for a while, or ever. */
  #isSilent = true;
  /** Ends the watch that is open only because the bus is silent. */
  #held: AbortController | undefined;
  #failure: unknown;
  #gapTimer: Timer | undefined;
  #silenceTimer: Timer | undefined;

  constructor(components: FollowerComponents<T>, options: FollowerOptions) {
    this.#components = components;
    this.counts = components.counts ?? new FollowerCounts();
    this.#clock = components.clock;
    this.#log = components.log;
    this.#options = options;
    this.#stream = streamName(options.stream);
  }

  get coveredRevision(): number {
    return this.#covered;
  }

  /**
   * Follows until `signal` is aborted; everything up to `fromRevision` is known already. Fails with 410 when only a list can
   * tell what is there: history is gone, a message contradicted what was applied, or the store has another epoch. Once.
   */
  async run(fromRevision: number, signal: AbortSignal): Promise<void> {
    const end = () => this.#ending.abort();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    this.#covered = fromRevision;
    this.#proven.reset(fromRevision);
    try {
      await this.#subscribe();
      this.#awaitHeads();
      this.#resume();
      if (!this.#ending.signal.aborted) {
        await new Promise((resolve) => this.#ending.signal.addEventListener("abort", resolve, { once: true }));
      }
    } finally {
      signal.removeEventListener("abort", end);
      this.#gapTimer?.cancel();
      this.#silenceTimer?.cancel();
      await this.#asking;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #subscribe(): Promise<void> {
    const { cluster, epoch, stream } = this.#options;
    const { bus } = this.#components;
    const subjects = new Subjects(cluster, epoch);
    const handler = {
      message: (_subject: string, bytes: Uint8Array) => {
        if (!this.#ending.signal.aborted) this.#hear(bytes);
      },
      gap: () => {
        if (bus.status() === "away") this.#isSilent = true;
        this.#resume();
      },
    };
    await bus.subscribe(subjects.stream(stream), handler, this.#ending.signal);
    await bus.subscribe(subjects.heads(), handler, this.#ending.signal);
  }

  #hear(bytes: Uint8Array): void {
    const event = decodeEvent(bytes);
    if (event === undefined) this.#refuse("undecodable");
    else if (event.epoch !== this.#options.epoch) this.#refuse("epoch");
    else if (event.type === "heads") this.#hearHeads(event.heads);
    else if (event.change.stream !== this.#stream) this.#refuse("stream");
    else this.#hearChange(event.change);
  }

  #hearChange(change: Change): void {
    if (change.revision <= this.#covered) {
      if (this.#proven.agreesWith(change)) this.counts.duplicates++;
      else this.#distrust();
      return;
    }
    const added = this.#pending.add(change);
    if (added === "duplicate") this.counts.duplicates++;
    else if (added === "full") this.#resume();
    else if (added === "contradiction") this.#distrust();
    this.#drain();
  }

  /** Applies what follows on what is proven, in order; what is left waits for the gap to close. */
  #drain(): void {
    if (this.#isDraining) return;
    let count = 0;
    for (let first = this.#pending.first(); first !== undefined; first = this.#pending.first()) {
      if (++count > SLICE_REVISIONS) {
        this.#drainLater();
        return;
      }
      if (first.revision > this.#covered) {
        if (this.#asking !== undefined || first.missing > 0 || first.previousRevision > this.#covered) break;
        if (!this.#apply(first)) {
          this.#resume();
          return;
        }
      } else if (!this.#proven.has(first.revision) && first.revision > this.#proven.floor) {
        this.#refuse("forged");
      }
      this.#pending.remove(first.revision);
    }
    if (this.#asking !== undefined) return;
    if (this.#pending.size > 0 || this.#expected > this.#covered) this.#awaitGap();
    else this.#gapTimer = this.#gapTimer?.cancel() ?? undefined;
  }

  #drainLater(): void {
    this.#isDraining = true;
    this.#gapTimer = this.#gapTimer?.cancel() ?? undefined;
    setImmediate(() => {
      this.#isDraining = false;
      if (!this.#ending.signal.aborted) this.#drain();
    });
  }

  /** False when the API must be asked what the revision was. */
  #apply(pending: PendingRevision): boolean {
    const parts = pending.parts.filter((part) => part !== undefined);
    if (parts.some((part) => part.identityOnly && part.operation === "put")) return false;
    let changes: ObjectChange<T>[];
    try {
      changes = parts.map((part) => this.#decoded(part));
    } catch (error) {
      this.#log.warn("an object on the bus cannot be read", { stream: this.#stream, error: String(error) });
      this.#refuse("undecodable");
      return false;
    }
    this.#proven.add(pending.revision, parts);
    this.#covered = pending.revision;
    this.#components.sink.apply(changes, pending.revision);
    return true;
  }

  #decoded(part: Change): ObjectChange<T> {
    const { revision, operation, namespace, name } = part;
    const object = operation === "delete" ? undefined : this.#components.decode(part);
    return { revision, operation, namespace, name, object };
  }

  #hearHeads(heads: Heads): void {
    this.#isSilent = false;
    this.#awaitHeads();
    if (this.#asking !== undefined) {
      this.#laterHeads = heads;
      this.#held?.abort();
      return;
    }
    const head = heads.streams.get(this.#stream) ?? 0;
    if (this.#contradicts(heads, head)) {
      this.#distrust();
      return;
    }
    // One may be late; of two the second was sent a second after what it does not know of.
    this.#lowHeads = heads.throughRevision < this.#covered ? this.#lowHeads + 1 : 0;
    if (this.#lowHeads === 2) this.#resume();
    if (heads.afterRevision > this.#covered) this.#expected = Math.max(this.#expected, heads.throughRevision);
    else if (head > this.#covered) this.#expected = Math.max(this.#expected, head);
    else if (heads.throughRevision > this.#covered) {
      this.#covered = heads.throughRevision;
      this.#components.sink.apply([], this.#covered);
    }
    this.#drain();
  }

  /** Heads name the last revision of the stream within a window, so a later one in that window was never the store's. */
  #contradicts(heads: Heads, head: number): boolean {
    const from = Math.max(heads.afterRevision, this.#proven.floor);
    if (head > from && head <= this.#covered && !this.#proven.has(head)) return true;
    const last = this.#proven.lastThrough(heads.throughRevision) ?? 0;
    return last > from && last > head;
  }

  #awaitGap(): void {
    this.#gapTimer ??= this.#clock.after(this.#options.gapWaitMs ?? 50, () => {
      this.#gapTimer = undefined;
      this.#resume();
    });
  }

  #awaitHeads(): void {
    this.#silenceTimer?.cancel();
    if (this.#ending.signal.aborted) return;
    this.#silenceTimer = this.#clock.after(this.#options.silenceMs ?? 3_000, () => {
      this.#awaitHeads();
      this.#isSilent = true;
      if (this.#asking === undefined) this.#resume();
      void this.#checkEpoch();
    });
  }

  async #checkEpoch(): Promise<void> {
    try {
      if ((await this.#components.isOurEpoch?.()) !== false) return;
    } catch (error) {
      this.#log.debug("the epoch cannot be asked for", { stream: this.#stream, error: String(error) });
      return;
    }
    this.#end(expired("the store has another epoch"));
  }

  #refuse(why: Refusal): void {
    this.counts.refused[why]++;
  }

  #distrust(): void {
    this.#refuse("forged");
    this.#end(expired("the bus contradicts what it told before"));
  }

  #end(failure: unknown): void {
    this.#failure ??= failure;
    this.#ending.abort();
  }

  #resume(): void {
    this.#wantsResume = true;
    if (this.#ending.signal.aborted) return;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
      if (this.#ending.signal.aborted) return;
      const heads = this.#laterHeads;
      this.#laterHeads = undefined;
      this.#drain();
      if (heads !== undefined) this.#hearHeads(heads);
    });
  }

  async #ask(): Promise<void> {
    const { signal } = this.#ending;
    this.#gapTimer = this.#gapTimer?.cancel() ?? undefined;
    while ((this.#wantsResume || this.#isSilent) && !signal.aborted) {
      try {
        await this.#catchUp(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asStatusError(thrown);
        if (error.code === EXPIRED) {
          this.#end(error);
          return;
        }
        this.#log.debug("the API does not answer a follower", { stream: this.#stream, error: String(error) });
        await this.#clock.sleep(this.#options.retryMs ?? 1_000, signal).catch(() => {});
      }
    }
  }

  /** Until everything was told that there was, and then for as long as the bus is silent. */
  async #catchUp(signal: AbortSignal): Promise<void> {
    const heard = { revisions: this.#pending.revisions(), expected: this.#expected };
    const held = new AbortController();
    let isCurrent = false;
    this.counts.resumes++;
    try {
      for await (const batch of this.#components.source.follow(this.#covered, AbortSignal.any([signal, held.signal]))) {
        if (signal.aborted) return;
        this.#take(batch);
        if (batch.isCurrent && !isCurrent) {
          isCurrent = true;
          this.#wantsResume = false;
          this.#refuseAbove(batch.throughRevision, heard);
          this.#held = held;
        }
        if (isCurrent && !this.#isSilent) return;
      }
      if (!held.signal.aborted) throw serviceUnavailable("the API ended the watch of a follower");
    } finally {
      held.abort();
      this.#held = undefined;
    }
  }

  #take(batch: SourceBatch<T>): void {
    const changes = batch.changes.filter((change) => change.revision > this.#covered);
    for (const change of changes) this.#proven.add(change.revision, []);
    if (batch.throughRevision > this.#covered) {
      this.#covered = batch.throughRevision;
      this.#components.sink.apply(changes, this.#covered);
    }
    this.#drain();
  }

  /** What was heard before the store was asked, and the store does not have, is not the store's. */
  #refuseAbove(
    throughRevision: number,
    heard: { readonly revisions: readonly number[]; readonly expected: number },
  ): void {
    for (const revision of heard.revisions) {
      if (revision <= throughRevision) continue;
      this.#refuse("above-durable");
      this.#pending.remove(revision);
    }
    if (heard.expected > throughRevision) this.#refuse("above-durable");
    if (this.#expected <= Math.max(heard.expected, throughRevision)) this.#expected = 0;
  }
}
