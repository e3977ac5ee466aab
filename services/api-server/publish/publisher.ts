import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Startable } from "../../../lib/core/startable.ts";
import type { Bus } from "../../../lib/events/bus.ts";
import { decodeEvent, encodeEvent } from "../../../lib/events/envelope.ts";
import { Subjects } from "../../../lib/events/subjects.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { StoredKind } from "../core/stored-kind.ts";
import { ChangeFeed, type OutgoingEvent } from "./change-feed.ts";
import { type Held, PublisherLease } from "./publisher-lease.ts";

export interface PublisherOptions {
  readonly cluster: string;
  /** Who this is, for people who look into the store. */
  readonly holder: string;
  /** How long nobody publishes when the publisher is killed. Default 3; renewed each third of it. */
  readonly leaseSeconds?: number;
}

const HEADS_MS = 1_000;
const RETRY_MS = 1_000;
/** A successor goes back no further; hearers ask the API for what is older. */
const MAX_BACKLOG_REVISIONS = 10_000;
/** Messages between two turns of everybody else. */
const SLICE_MESSAGES = 100;
const EVERYTHING = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

/**
 * Puts every change of the store on the bus, in revision order, and each second the heads. Every api-server has one; the
 * one that holds the lease publishes. It reads the store's watch, so a write never waits for the bus. Two at once, or an
 * old one that wakes up late, do no harm: what each says is true, and hearers drop what they have seen.
 */
export class Publisher implements Startable {
  readonly #store: Store;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #kinds: ReadonlyMap<string, StoredKind>;
  readonly #epochOf: () => Promise<string>;
  readonly #options: PublisherOptions;
  readonly #lease: PublisherLease;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #epoch = "";
  /** Hears the heads of this epoch. */
  #hearing = new AbortController();
  /** Up to here somebody has published. */
  #heardThrough = 0;
  #leading = false;
  #published = 0;
  #dropped = 0;

  constructor(
    components: {
      readonly store: Store;
      readonly bus: Bus;
      readonly clock: Clock;
      readonly log: Log;
      readonly kinds: Iterable<StoredKind>;
      /** Names the store's history now; a restored store has another. */
      readonly epoch: () => Promise<string>;
    },
    options: PublisherOptions,
  ) {
    const { store, clock } = components;
    this.#store = store;
    this.#bus = components.bus;
    this.#clock = clock;
    this.#log = components.log;
    this.#kinds = new Map(Array.from(components.kinds, (kind) => [kind.prefix, kind]));
    this.#epochOf = components.epoch;
    this.#options = options;
    this.#lease = new PublisherLease(
      { store, clock },
      { holder: options.holder, ttlSeconds: options.leaseSeconds ?? 3 },
    );
  }

  get leading(): boolean {
    return this.#leading;
  }

  /** Messages so far; `dropped` ones did not fit the bus, which hearers find out. */
  get counts(): { readonly published: number; readonly dropped: number } {
    return { published: this.#published, dropped: this.#dropped };
  }

  async start(): Promise<void> {
    this.#running ??= this.#run(this.#stopping.signal);
  }

  /** Frees the lease, so that a successor need not wait for its end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#hearOthers(await this.#epochOf());
        const held = await this.#lease.take(signal);
        if (held !== undefined) await this.#lead(held, signal);
      } catch (error) {
        this.#log.warn("the publisher's lease cannot be had", { error: String(error) });
        await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
    this.#hearing.abort();
  }

  /** What others publish says where to begin. */
  async #hearOthers(epoch: string): Promise<void> {
    if (epoch === this.#epoch) return;
    this.#hearing.abort();
    this.#hearing = new AbortController();
    this.#epoch = epoch;
    this.#heardThrough = 0;
    const message = (_subject: string, bytes: Uint8Array) => {
      const event = decodeEvent(bytes);
      if (event?.type === "heads" && event.epoch === epoch) this.#heardThrough = event.heads.throughRevision;
    };
    const subjects = new Subjects(this.#options.cluster, epoch);
    await this.#bus.subscribe(subjects.heads(), { message, gap: () => {} }, this.#hearing.signal);
  }

  async #lead(held: Held, stopping: AbortSignal): Promise<void> {
    const ending = new AbortController();
    const end = () => ending.abort();
    stopping.addEventListener("abort", end, { once: true });
    if (stopping.aborted) end();
    try {
      // The lease may have been waited for while the store was restored.
      if ((await this.#epochOf()) !== this.#epoch) return;
      this.#leading = true;
      this.#log.info("publishing events", { revision: held.revision, epoch: this.#epoch });
      const publishing = this.#publish(held.revision, ending.signal);
      await this.#lease.keep(held, ending.signal, async () => (await this.#epochOf()) === this.#epoch);
      ending.abort();
      await publishing;
    } finally {
      this.#leading = false;
      ending.abort();
      stopping.removeEventListener("abort", end);
      await this.#lease.giveUp(held).catch(() => {});
    }
  }

  async #publish(takenRevision: number, signal: AbortSignal): Promise<void> {
    // What was heard may be forged: it moves the start within what hearers can bear, and no further.
    const heard = Math.min(this.#heardThrough, takenRevision);
    let feed = this.#feedFrom(heard > takenRevision - MAX_BACKLOG_REVISIONS ? heard : takenRevision);
    const heads = this.#sendHeads(() => feed, signal);
    while (!signal.aborted) {
      try {
        const compactRevision = await this.#follow(feed, signal);
        if (compactRevision !== undefined) feed = this.#feedFrom(compactRevision);
      } catch (error) {
        this.#log.warn("the publisher's watch broke", { error: String(error) });
      }
      await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
    }
    await heads;
  }

  #feedFrom(fromRevision: number): ChangeFeed {
    return new ChangeFeed(
      { kinds: this.#kinds, subjects: new Subjects(this.#options.cluster, this.#epoch) },
      { epoch: this.#epoch, fromRevision },
    );
  }

  /** Until the watch ends; what was compacted away before it was read, if that is why. */
  async #follow(feed: ChangeFeed, signal: AbortSignal): Promise<number | undefined> {
    // Every key: a store makes no revision without a change, so the last one seen is proven without asking for progress.
    const watch = this.#store.watch({ ...EVERYTHING, startRevision: feed.throughRevision + 1, prevKv: true });
    const cancel = () => watch.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for await (const batch of watch) {
        if (signal.aborted) return undefined;
        if (batch.type === "cancelled") return batch.compactRevision;
        if (batch.type !== "events") continue;
        let count = 0;
        for (const message of feed.messages(batch.events)) {
          this.#send(message);
          if (++count % SLICE_MESSAGES === 0) await new Promise<void>((resolve) => setImmediate(resolve));
        }
      }
    } finally {
      signal.removeEventListener("abort", cancel);
      watch.cancel();
    }
    return undefined;
  }

  async #sendHeads(feed: () => ChangeFeed, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#send(feed().heads());
      await this.#clock.sleep(HEADS_MS, signal).catch(() => {});
    }
  }

  #send({ subject, message }: OutgoingEvent): void {
    if (this.#bus.publish(subject, encodeEvent(message))) this.#published++;
    else this.#dropped++;
  }
}
