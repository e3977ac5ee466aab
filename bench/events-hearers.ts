/** The subscribers of `events`, in a process of their own: tells when all of them have a whole wave. */
import { silentLog } from "../lib/core/log.ts";
import type { Bus } from "../lib/events/bus.ts";
import type { Change } from "../lib/events/envelope.ts";
import { decodeStored } from "../lib/events/stored-object.ts";
import { StreamFollower } from "../lib/events/stream-follower.ts";
import type { StreamSource } from "../lib/events/stream-source.ts";
import { Subjects } from "../lib/events/subjects.ts";
import { kindDescriptors } from "../lib/gen/k8s/descriptors.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { Codec } from "../lib/resource/codec/codec.ts";
import { loadRegistry } from "../lib/resource/registry.ts";
import { natsBus } from "../test/events/bus-process.ts";

export const CLUSTER = "bench";
export const EPOCH = "1";
export const STREAM = "configmaps";
const IDENTITY = { group: "", resource: STREAM };

export interface HearersOrder {
  readonly address: string;
  readonly subscribers: number;
  /** Changes that each of them gets before the next report. */
  readonly waveSize: number;
  /** `plain`: NATS alone. `proven`: a follower each. `decoded`: and the object, as an informer has it. */
  readonly mode: "plain" | "proven" | "decoded";
}

export interface HearersReport {
  /** Changes that reached a subscriber since the last report. */
  readonly delivered: number;
  /** CPU time that the process of the subscribers has used until now. */
  readonly cpuUs: number;
}

/** Has nothing to tell: the publisher begins at the first revision, and nothing is lost here. */
class EmptySource implements StreamSource<unknown> {
  readonly #asked = Promise.withResolvers<void>();
  #isAsked = false;

  /** Resolves when its follower has subscribed. */
  whenAsked(): Promise<void> {
    return this.#asked.promise;
  }

  async *follow(fromRevision: number, signal: AbortSignal) {
    if (this.#isAsked) {
      process.stderr.write("bench: messages were lost on the bus, so this run counts for nothing\n");
      process.exit(1);
    }
    this.#isAsked = true;
    this.#asked.resolve();
    yield { changes: [], throughRevision: fromRevision, isCurrent: true };
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
}

class Wave {
  readonly #subscribers: number;
  readonly #size: number;
  #delivered = 0;

  constructor(order: HearersOrder) {
    this.#subscribers = order.subscribers;
    this.#size = order.waveSize;
  }

  heard(changes: number): void {
    this.#delivered += changes;
    if (this.#delivered === this.#size * this.#subscribers) this.report();
  }

  report(): void {
    const { user, system } = process.cpuUsage();
    const message: HearersReport = { delivered: this.#delivered, cpuUs: user + system };
    this.#delivered = 0;
    process.send?.(message);
  }
}

function hearPlainly(bus: Bus, wave: Wave): Promise<void> {
  const handler = { message: () => wave.heard(1), gap };
  return bus.subscribe(new Subjects(CLUSTER, EPOCH).stream(IDENTITY), handler, new AbortController().signal);
}

function follow(bus: Bus, wave: Wave, decode: (change: Change) => unknown): Promise<void> {
  const source = new EmptySource();
  const apply = (changes: readonly unknown[]): void => wave.heard(changes.length);
  const components = { bus, source, sink: { apply }, decode, clock: realClock, log: silentLog };
  // Never silent: the publisher sends heads with each wave, however long that takes here.
  const options = { cluster: CLUSTER, epoch: EPOCH, stream: IDENTITY, silenceMs: 600_000 };
  void new StreamFollower(components, options).run(0, new AbortController().signal);
  return source.whenAsked();
}

function gap(reason: string): void {
  throw new Error(`messages were lost: ${reason}`);
}

process.once("message", async (order: HearersOrder) => {
  const wave = new Wave(order);
  const codec = new Codec();
  const definition = loadRegistry(kindDescriptors).resource("", "v1", STREAM);
  if (definition === undefined) throw new Error(`the registry lacks ${STREAM}`);
  const decode = (change: Change) => (order.mode === "decoded" ? decodeStored(codec, definition, change) : undefined);
  for (let i = 0; i < order.subscribers; i++) {
    const bus = natsBus(order.address, `subscriber-${i}`);
    await bus.start();
    if (order.mode === "plain") await hearPlainly(bus, wave);
    else await follow(bus, wave, decode);
  }
  wave.report();
});
