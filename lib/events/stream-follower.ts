import type { Clock, Timer } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Startable } from "../core/startable.ts";
import type { Bus } from "./bus.ts";
import { type Change, decodeEvent, type Heads } from "./envelope.ts";
import { type PendingRevision, PendingRevisions } from "./pending-revisions.ts";
import { checkSum, ProvenRevisions } from "./proven-revisions.ts";
import type { Answer, StreamSink, StreamSource } from "./stream-source.ts";
import { type StreamIdentity, Subjects, streamName } from "./subjects.ts";

export interface FollowerOptions {
  readonly cluster: string;
  readonly epoch: string;
  readonly stream: StreamIdentity;
  /** How long a message out of order may wait for what comes before it. Default 50. */
  readonly gapWaitMs?: number;
  /** Without heads for so long the bus counts as away, and the API is asked instead, as often. Default 3,500. */
  readonly silenceMs?: number;
  /** Between two lists, and after a failure of the API. Default 1,000. */
  readonly retryMs?: number;
}

/** `above-durable`: a revision that the store does not have. `forged`: one that contradicts what was proven. */
export type Refusal = "undecodable" | "epoch" | "stream" | "above-durable" | "forged";

export interface FollowerCounts {
  readonly refused: Record<Refusal, number>;
  duplicates: number;
  resumes: number;
  /** Beside the first one. */
  relists: number;
}

const PENDING_LIMITS = { revisions: 4_096, sizeBytes: 16 * 1024 * 1024 };

/**
 * Follows one stream over the bus and proves that it missed nothing: every revision up to `coveredRevision` is applied.
 * A message is applied when the one before it is; a gap, a head that was not heard of, silence or an object that did not
 * fit have the API asked for what came after the last proven revision; a contradiction has it asked for everything.
 */
export class StreamFollower implements Startable {
  readonly #bus: Bus;
  readonly #source: StreamSource;
  readonly #sink: StreamSink;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: FollowerOptions;
  readonly #stream: string;
  readonly #stopping = new AbortController();
  readonly #pending = new PendingRevisions(PENDING_LIMITS);
  readonly #proven = new ProvenRevisions();
  readonly counts: FollowerCounts = {
    refused: { undecodable: 0, epoch: 0, stream: 0, "above-durable": 0, forged: 0 },
    duplicates: 0,
    resumes: 0,
    relists: 0,
  };
  /** -1 before the first list. */
  #covered = -1;
  /** A revision that heads tell of and that is not covered; 0: none. */
  #expected = 0;
  /** The newest ones that came while the API was asked. */
  #laterHeads: Heads | undefined;
  /** Heads in a row that lie below what is covered. */
  #lowHeads = 0;
  #wanted: "nothing" | "resume" | "list" = "nothing";
  #asking: Promise<void> | undefined;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #gapTimer: Timer | undefined;
  #silenceTimer: Timer | undefined;

  constructor(
    components: {
      readonly bus: Bus;
      readonly source: StreamSource;
      readonly sink: StreamSink;
      readonly clock: Clock;
      readonly log: Log;
    },
    options: FollowerOptions,
  ) {
    this.#bus = components.bus;
    this.#source = components.source;
    this.#sink = components.sink;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#options = options;
    this.#stream = streamName(options.stream);
  }

  get coveredRevision(): number {
    return this.#covered;
  }

  /** Resolves when the first list is applied. */
  async start(): Promise<void> {
    const subjects = new Subjects(this.#options.cluster, this.#options.epoch);
    const handler = {
      message: (_subject: string, bytes: Uint8Array) => this.#hear(bytes),
      gap: () => this.#want("resume"),
    };
    const { signal } = this.#stopping;
    await this.#bus.subscribe(subjects.stream(this.#options.stream), handler, signal);
    await this.#bus.subscribe(subjects.heads(), handler, signal);
    this.#awaitHeads();
    this.#want("list");
    await this.#asking;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#gapTimer?.cancel();
    this.#silenceTimer?.cancel();
    await this.#asking;
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
    else if (added === "full") this.#want("resume");
    else if (added === "contradiction") this.#distrust();
    this.#drain();
  }

  /** Applies what follows on what is proven, in order; what is left waits for the gap to close. */
  #drain(): void {
    if (this.#asking !== undefined) return;
    for (let first = this.#pending.first(); first !== undefined; first = this.#pending.first()) {
      if (first.revision > this.#covered) {
        if (first.missing > 0 || first.previousRevision > this.#covered) break;
        if (first.parts.some((part) => part?.identityOnly && part.operation === "put")) {
          this.#want("resume");
          return;
        }
        this.#apply(first);
      } else if (!this.#proven.has(first.revision) && first.revision > this.#proven.floor) {
        this.#refuse("forged");
      }
      this.#pending.remove(first.revision);
    }
    if (this.#pending.size > 0 || this.#expected > this.#covered) this.#awaitGap();
    else this.#gapTimer = this.#gapTimer?.cancel() ?? undefined;
  }

  #apply(pending: PendingRevision): void {
    const changes = pending.parts.filter((part) => part !== undefined);
    this.#proven.add(pending.revision, changes.map(checkSum));
    this.#covered = pending.revision;
    this.#sink.apply(changes, pending.revision);
  }

  #hearHeads(heads: Heads): void {
    this.#awaitHeads();
    if (this.#asking !== undefined) {
      this.#laterHeads = heads;
      return;
    }
    const head = heads.streams.get(this.#stream) ?? 0;
    if (this.#contradicts(heads, head)) {
      this.#distrust();
      return;
    }
    // One may be late; of two the second was sent a second after what it does not know of.
    this.#lowHeads = heads.throughRevision < this.#covered ? this.#lowHeads + 1 : 0;
    if (this.#lowHeads === 2) this.#want("resume");
    if (heads.afterRevision > this.#covered) this.#expected = Math.max(this.#expected, heads.throughRevision);
    else if (head > this.#covered) this.#expected = Math.max(this.#expected, head);
    else this.#covered = Math.max(this.#covered, heads.throughRevision);
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
      this.#want("resume");
    });
  }

  #awaitHeads(): void {
    this.#silenceTimer?.cancel();
    this.#silenceTimer = this.#clock.after(this.#options.silenceMs ?? 3_500, () => {
      this.#awaitHeads();
      this.#want("resume");
    });
  }

  #refuse(why: Refusal): void {
    this.counts.refused[why]++;
  }

  #distrust(): void {
    this.#refuse("forged");
    this.#want("list");
  }

  #want(what: "resume" | "list"): void {
    if (this.#wanted !== "list") this.#wanted = this.#covered < 0 ? "list" : what;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
      if (this.#stopping.signal.aborted) return;
      const heads = this.#laterHeads;
      this.#laterHeads = undefined;
      this.#drain();
      if (heads !== undefined) this.#hearHeads(heads);
    });
  }

  async #ask(): Promise<void> {
    const { signal } = this.#stopping;
    this.#gapTimer = this.#gapTimer?.cancel() ?? undefined;
    while (this.#wanted !== "nothing" && !signal.aborted) {
      try {
        if (this.#wanted === "list") await this.#list(signal);
        else await this.#resume(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#log.debug("the API does not answer a follower", { stream: this.#stream, error: String(error) });
        await this.#clock.sleep(this.#options.retryMs ?? 1_000, signal).catch(() => {});
      }
    }
  }

  async #resume(signal: AbortSignal): Promise<void> {
    const heard = this.#heardSoFar();
    this.counts.resumes++;
    const answer = await this.#source.resume(this.#covered, signal);
    if (signal.aborted || this.#wanted === "list") return;
    if (answer !== undefined && answer.throughRevision >= this.#covered) {
      this.#wanted = "nothing";
      const changes = answer.changes.filter((change) => change.revision > this.#covered);
      for (const change of changes) this.#proven.add(change.revision, []);
      this.#covered = answer.throughRevision;
      if (changes.length > 0) this.#sink.apply(changes, answer.throughRevision);
      this.#refuseAbove(answer, heard);
      return;
    }
    if (answer !== undefined) this.#refuse("above-durable");
    this.#wanted = "list";
  }

  async #list(signal: AbortSignal): Promise<void> {
    const waitMs = this.#listedAtMs + (this.#options.retryMs ?? 1_000) - this.#clock.monotonicMs();
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
    const heard = this.#heardSoFar();
    if (this.#covered >= 0) this.counts.relists++;
    const answer = await this.#source.list(signal);
    if (signal.aborted) return;
    this.#listedAtMs = this.#clock.monotonicMs();
    this.#wanted = "nothing";
    this.#lowHeads = 0;
    this.#proven.reset(answer.throughRevision);
    this.#covered = answer.throughRevision;
    this.#sink.replace(answer.changes, answer.throughRevision);
    this.#refuseAbove(answer, heard);
  }

  #heardSoFar(): { readonly revisions: readonly number[]; readonly expected: number } {
    return { revisions: this.#pending.revisions(), expected: this.#expected };
  }

  /** What was heard before the store was asked, and the store does not have, is not the store's. */
  #refuseAbove(answer: Answer, heard: { readonly revisions: readonly number[]; readonly expected: number }): void {
    for (const revision of heard.revisions) {
      if (revision <= answer.throughRevision) continue;
      this.#refuse("above-durable");
      this.#pending.remove(revision);
    }
    if (heard.expected > answer.throughRevision) this.#refuse("above-durable");
    if (this.#expected <= Math.max(heard.expected, answer.throughRevision)) this.#expected = 0;
  }
}
