import { silentLog } from "../../core/log.ts";
import { SeededRandom } from "../../core/seeded-random.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { type Change, encodeEvent, type Heads } from "../envelope.ts";
import { MemoryBus } from "../memory-bus.ts";
import { StreamFollower } from "../stream-follower.ts";
import type { Answer, ObjectChange, StreamSource } from "../stream-source.ts";
import { type StreamIdentity, Subjects, streamName } from "../subjects.ts";
import { FaultyBus } from "./faulty-bus.ts";

export const CLUSTER = "test";
export const EPOCH = "epoch-1";

/** What a follower made of a stream. */
export class FollowedState {
  readonly objects = new Map<string, string>();
  /** The revisions of batches, in order of arrival. */
  readonly batches: number[] = [];
  apply(changes: readonly ObjectChange[], throughRevision: number): void {
    this.batches.push(throughRevision);
    for (const change of changes) applyTo(this.objects, change);
  }
  replace(objects: readonly ObjectChange[], throughRevision: number): void {
    this.batches.push(throughRevision);
    this.objects.clear();
    for (const change of objects) applyTo(this.objects, change);
  }
}

function applyTo(objects: Map<string, string>, change: ObjectChange): void {
  const key = `${change.namespace}/${change.name}`;
  if (change.operation === "delete") objects.delete(key);
  else objects.set(key, `${change.revision}:${Buffer.from(change.object).toString()}`);
}

/** A store of several streams with a publisher that never fails, a faulty bus, and followers, under a virtual clock. */
export class StreamWorld {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly bus: FaultyBus;
  readonly subjects = new Subjects(CLUSTER, EPOCH);
  readonly pods: StreamIdentity = { group: "", resource: "pods" };
  readonly secrets: StreamIdentity = { group: "", resource: "secrets" };
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

  /** One transaction of changes of one stream. */
  write(stream: StreamIdentity, names: readonly string[], part: Partial<Change> = {}): void {
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
      const sent = change.identityOnly ? { ...change, object: new Uint8Array() } : change;
      this.publish(sent, stream);
    }
    this.#last.set(name, this.revision);
  }

  remove(stream: StreamIdentity, name: string): void {
    this.write(stream, [name], { operation: "delete", object: new Uint8Array(), encoding: undefined });
  }

  publish(change: Change, stream = this.pods, epoch = EPOCH): void {
    const subject = this.subjects.object(stream, change.namespace, change.name);
    this.bus.publish(subject, encodeEvent({ type: "change", epoch, change }));
  }

  publishHeads(forged?: Heads): void {
    const streams = new Map([...this.#last].filter(([, head]) => head > this.#headsFrom));
    const heads = forged ?? { afterRevision: this.#headsFrom, throughRevision: this.revision, streams };
    if (forged === undefined) this.#headsFrom = this.revision;
    this.bus.publish(this.subjects.heads(), encodeEvent({ type: "heads", epoch: EPOCH, heads }));
  }

  state(stream: StreamIdentity): Map<string, string> {
    const objects = new Map<string, string>();
    for (const change of this.#history) if (change.stream === streamName(stream)) applyTo(objects, change);
    return objects;
  }

  follow(stream: StreamIdentity): { readonly follower: StreamFollower; readonly state: FollowedState } {
    const state = new FollowedState();
    const { clock, bus } = this;
    const follower = new StreamFollower(
      { bus, source: this.source(stream), sink: state, clock, log: silentLog },
      { cluster: CLUSTER, epoch: EPOCH, stream },
    );
    return { follower, state };
  }

  source(stream: StreamIdentity): StreamSource {
    const answered = async (make: () => Answer | undefined) => {
      if (this.apiFails) throw new Error("the API is away");
      const answer = make();
      await this.clock.sleep(this.random.float() * 20);
      return answer;
    };
    const own = () => this.#history.filter((change) => change.stream === streamName(stream));
    return {
      resume: (from) =>
        answered(() =>
          from < this.compactRevision
            ? undefined
            : { changes: own().filter((change) => change.revision > from), throughRevision: this.revision },
        ),
      list: async () => (await answered(() => ({ changes: newest(own()), throughRevision: this.revision })))!,
    };
  }
}

function newest(changes: readonly Change[]): Change[] {
  const byName = new Map(changes.map((change) => [`${change.namespace}/${change.name}`, change]));
  return [...byName.values()].filter((change) => change.operation === "put");
}
