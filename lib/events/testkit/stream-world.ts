import { silentLog } from "../../core/log.ts";
import { SeededRandom } from "../../core/seeded-random.ts";
import { expired } from "../../core/status-error.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { type Change, encodeEvent, type Heads } from "../envelope.ts";
import { FollowerCounts } from "../follower-counts.ts";
import { MemoryBus } from "../memory-bus.ts";
import { StreamFollower } from "../stream-follower.ts";
import type { ObjectChange, SourceBatch, StreamSource } from "../stream-source.ts";
import { type StreamIdentity, Subjects, streamName } from "../subjects.ts";
import { FaultyBus } from "./faulty-bus.ts";

export const CLUSTER = "test";
export const EPOCH = "epoch-1";

type TextChange = ObjectChange<string>;

/** What a follower made of a stream: it lists, follows, and lists again when it is told 410, as an informer does. */
export class FollowedStream {
  readonly objects = new Map<string, string>();
  /** The revisions of batches, in order of arrival. */
  readonly batches: number[] = [];
  readonly counts = new FollowerCounts();
  lists = 0;
  covered = 0;
  readonly #world: StreamWorld;
  readonly #stream: StreamIdentity;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(world: StreamWorld, stream: StreamIdentity) {
    this.#world = world;
    this.#stream = stream;
  }

  start(): void {
    this.#running = this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  apply(changes: readonly TextChange[], throughRevision: number): void {
    this.batches.push(throughRevision);
    this.covered = throughRevision;
    for (const change of changes) applyTo(this.objects, change);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, bus, epoch } = this.#world;
    while (!signal.aborted) {
      try {
        this.#list();
        const follower = new StreamFollower<string>(
          {
            ...{ bus, clock, log: silentLog, counts: this.counts, sink: this },
            source: this.#world.source(this.#stream),
            decode: decodeText,
            isOurEpoch: async () => epoch === this.#world.epoch,
          },
          { cluster: CLUSTER, epoch: this.#world.epoch, stream: this.#stream },
        );
        await follower.run(this.covered, signal);
      } catch {
        await clock.sleep(1_000, signal).catch(() => {});
      }
    }
  }

  #list(): void {
    const { revision, apiFails } = this.#world;
    if (apiFails) throw new Error("the API is away");
    this.lists++;
    this.objects.clear();
    for (const [key, text] of this.#world.state(this.#stream)) this.objects.set(key, text);
    this.covered = revision;
  }
}

function decodeText({ object, name, revision }: Change): string {
  const text = Buffer.from(object).toString();
  if (text !== `${name}@${revision}` && text !== "forged") throw new Error(`${text} is not ${name}`);
  return text;
}

function applyTo(objects: Map<string, string>, change: TextChange): void {
  const key = `${change.namespace}/${change.name}`;
  if (change.operation === "delete") objects.delete(key);
  else objects.set(key, `${change.revision}:${change.object}`);
}

/** A store of several streams with a publisher that never fails, a faulty bus, and followers, under a virtual clock. */
export class StreamWorld {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly bus: FaultyBus;
  subjects = new Subjects(CLUSTER, EPOCH);
  readonly pods: StreamIdentity = { group: "", resource: "pods" };
  readonly secrets: StreamIdentity = { group: "", resource: "secrets" };
  epoch = EPOCH;
  revision = 100;
  compactRevision = 0;
  apiFails = false;
  readonly #history: Change[] = [];
  readonly #last = new Map<string, number>();
  #headsFrom = 100;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.bus = new FaultyBus({ bus: new MemoryBus(), clock: this.clock, random: this.random });
    const tick = () => {
      this.publishHeads();
      this.clock.after(1_000, tick);
    };
    this.clock.after(1_000, tick);
  }

  /** One transaction of changes of one stream; `sent` travels in place of the object. */
  write(
    stream: StreamIdentity,
    names: readonly string[],
    { sent: other, ...part }: Partial<Change> & { readonly sent?: Uint8Array } = {},
  ): void {
    this.revision++;
    const name = streamName(stream);
    const previousRevision = this.#last.get(name) ?? 100;
    for (const [index, object] of names.entries()) {
      const change: Change = {
        stream: name,
        revision: this.revision,
        previousRevision,
        part: index,
        parts: names.length,
        operation: "put",
        namespace: "default",
        name: object,
        identityOnly: false,
        encoding: "json",
        object: Buffer.from(`${object}@${this.revision}`),
        ...part,
      };
      this.#history.push(change);
      const sent = change.identityOnly
        ? { ...change, object: new Uint8Array() }
        : { ...change, object: other ?? change.object };
      this.publish(sent, stream);
    }
    this.#last.set(name, this.revision);
  }

  /** The newest half of history is lost, and the store goes on elsewhere under another name. */
  restore(bump: number): void {
    this.#history.splice(this.#history.length / 2);
    this.epoch = `${this.epoch}'`;
    this.subjects = new Subjects(CLUSTER, this.epoch);
    this.revision = (this.#history.at(-1)?.revision ?? 0) + Math.max(0, bump);
    this.compactRevision = this.revision;
    this.#headsFrom = this.revision;
    this.#last.clear();
    for (const change of this.#history) this.#last.set(change.stream, change.revision);
  }

  remove(stream: StreamIdentity, name: string): void {
    this.write(stream, [name], { operation: "delete", object: new Uint8Array(), encoding: undefined });
  }

  publish(change: Change, stream = this.pods, epoch = this.epoch): void {
    const subject = this.subjects.object(stream, change.namespace, change.name);
    this.bus.publish(subject, encodeEvent({ type: "change", epoch, change }));
  }

  publishHeads(forged?: Heads): void {
    const streams = new Map([...this.#last].filter(([, head]) => head > this.#headsFrom));
    const heads = forged ?? { afterRevision: this.#headsFrom, throughRevision: this.revision, streams };
    if (forged === undefined) this.#headsFrom = this.revision;
    this.bus.publish(this.subjects.heads(), encodeEvent({ type: "heads", epoch: this.epoch, heads }));
  }

  state(stream: StreamIdentity): Map<string, string> {
    const objects = new Map<string, string>();
    for (const change of this.#changesOf(stream, 0)) applyTo(objects, change);
    return objects;
  }

  source(stream: StreamIdentity): StreamSource<string> {
    const world = this;
    async function* follow(fromRevision: number, signal: AbortSignal): AsyncGenerator<SourceBatch<string>> {
      let from = fromRevision;
      for (let isCurrent = false; !signal.aborted; isCurrent = true) {
        if (world.apiFails) throw new Error("the API is away");
        if (from < world.compactRevision || from > world.revision) throw expired("too old resource version");
        const [changes, throughRevision] = [world.#changesOf(stream, from), world.revision];
        await world.clock.sleep(world.random.float() * 20, signal).catch(() => {});
        from = throughRevision;
        if (changes.length > 0 || !isCurrent) yield { changes, throughRevision, isCurrent: !isCurrent };
      }
    }
    return { follow };
  }

  #changesOf(stream: StreamIdentity, from: number): TextChange[] {
    return this.#history
      .filter((change) => change.stream === streamName(stream) && change.revision > from)
      .map(({ revision, operation, namespace, name, object }) => ({
        ...{ revision, operation, namespace, name },
        object: Buffer.from(object).toString(),
      }));
  }
}
