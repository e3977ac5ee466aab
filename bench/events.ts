import { type ChildProcess, fork } from "node:child_process";
import path from "node:path";
import { type Changes, WatchChanges } from "../lib/client/changes.ts";
import { Informer } from "../lib/controller/informer.ts";
import { silentLog } from "../lib/core/log.ts";
import { encodeEvent } from "../lib/events/envelope.ts";
import type { NatsBus } from "../lib/events/nats/nats-bus.ts";
import { Subjects } from "../lib/events/subjects.ts";
import { configMaps } from "../lib/gen/k8s/resources.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { startApi } from "../test/api/api-fixture.ts";
import { BusProcess, natsBus } from "../test/events/bus-process.ts";
import { ended } from "../test/kit/ended.ts";
import { NatsServer } from "../test/kit/nats.ts";
import { CLUSTER, EPOCH, type HearersOrder, type HearersReport, STREAM } from "./events-hearers.ts";

const SUBSCRIBERS = [10, 100, 500];
const OBJECT_BYTES = 1_024;
const NAMESPACE = "default";

/** How fast changes reach informers, and how many of them reach many. A real nats-server is between processes. */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  const server = await NatsServer.start();
  try {
    await measureLatency(print, server, options.quick ? 100 : 500);
    for (const subscribers of SUBSCRIBERS) await measureFanOut(print, { server, subscribers, ...options });
  } finally {
    await server.stop();
  }
}

/** From the call of a write to the informer's handler: the write's own way to the store is part of all three. */
async function measureLatency(print: (line: string) => void, server: NatsServer, writes: number): Promise<void> {
  const bus = natsBus(server.address, "api-server");
  await bus.start();
  const fixture = await startApi({ bus });
  const elsewhere = new BusProcess(fixture, server.address);
  await elsewhere.bus.start();
  try {
    const ways: readonly (readonly [string, typeof fixture.client, Changes])[] = [
      ["in-process", fixture.client, new WatchChanges({ api: fixture.client })],
      ["over-nats", elsewhere.api, elsewhere.changes],
      ["over-grpc-watch", elsewhere.api, new WatchChanges({ api: elsewhere.api })],
    ];
    const medians: number[] = [];
    for (const [name, api, changes] of ways) {
      const informer = new Informer({ api, changes, clock: realClock, random: realRandom, log: silentLog }, configMaps);
      let heard = (): void => {};
      informer.addHandler({ added: () => heard(), updated: () => heard() });
      await informer.start();
      await informer.whenSynced();
      // An informer on the bus begins with a watch, which ends at the first heads.
      if (name === "over-nats") while (elsewhere.openWatches("configmaps") > 0) await realClock.sleep(50);
      const times: number[] = [];
      for (let i = 0; i < writes; i++) {
        const metadata = { name: `${name}-${i}`, namespace: NAMESPACE };
        const arrived = new Promise<void>((resolve) => {
          heard = resolve;
        });
        const startedMs = performance.now();
        await Promise.all([
          fixture.client.create(configMaps, { metadata, data: { value: "x".repeat(OBJECT_BYTES) } }),
          arrived,
        ]);
        times.push(performance.now() - startedMs);
      }
      await informer.stop();
      times.sort((a, b) => a - b);
      const medianMs = times[Math.floor(times.length / 2)]!;
      const p99Ms = times[Math.floor(times.length * 0.99)]!;
      medians.push(medianMs);
      const ratio = medians.length === 1 ? "" : `ratio ${(medianMs / medians[0]!).toFixed(2)} of in-process `;
      print(`events/latency-${name}: ${ratio}(median ${medianMs.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms)`);
    }
  } finally {
    await elsewhere.stop();
    await fixture.stop();
    await bus.stop();
  }
}

/** All subscribers are in one other process, so its core bounds both; each has a connection of its own. */
async function measureFanOut(
  print: (line: string) => void,
  setting: { server: NatsServer; subscribers: number; quick: boolean },
): Promise<void> {
  const { server, subscribers, quick } = setting;
  const durationMs = quick ? 1_000 : 3_000;
  const runs: Record<HearersOrder["mode"], Delivery[]> = { plain: [], proven: [], decoded: [] };
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const mode of ["plain", "proven", "decoded"] as const) {
      // About as many messages are on their way whatever the number of subscribers.
      const waveSize = Math.max(20, Math.floor(20_000 / subscribers));
      const order: HearersOrder = { address: server.address, subscribers, waveSize, mode };
      runs[mode].push(await deliver(order, durationMs));
    }
  }
  const cpuUs = (mode: HearersOrder["mode"]) => median(runs[mode].map((run) => run.cpuUs));
  const text = (mode: HearersOrder["mode"]) =>
    `${cpuUs(mode).toFixed(1)} us of CPU, ${median(runs[mode].map((run) => run.perSecond)).toFixed(0)}/s`;
  for (const mode of ["proven", "decoded"] as const) {
    const ratio = (cpuUs(mode) / cpuUs("plain")).toFixed(2);
    print(`events/${mode}-to-${subscribers}: ratio ${ratio} (ours ${text(mode)}, plain NATS ${text("plain")})`);
  }
}

/** Of one event or message, in the process of the subscribers. */
interface Delivery {
  readonly cpuUs: number;
  readonly perSecond: number;
}

async function deliver(order: HearersOrder, durationMs: number): Promise<Delivery> {
  const child = fork(path.join(import.meta.dirname, "events-hearers.ts"), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const bus = natsBus(order.address, "publisher");
  await bus.start();
  try {
    await report(child, order);
    const publisher = new Waves(bus, order.waveSize);
    // The first wave warms.
    let [last] = await Promise.all([report(child), publisher.wave()]);
    const { cpuUs } = last;
    const startedMs = performance.now();
    let delivered = 0;
    while (performance.now() - startedMs < durationMs) {
      [last] = await Promise.all([report(child), publisher.wave()]);
      delivered += last.delivered;
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    return { cpuUs: (last.cpuUs - cpuUs) / delivered, perSecond: delivered / seconds };
  } finally {
    await bus.stop();
    await ended(child);
  }
}

/** Publishes what a publisher would: changes of 1 kB objects one after the other, and heads after each wave. */
class Waves {
  readonly #bus: NatsBus;
  readonly #size: number;
  readonly #subjects = new Subjects(CLUSTER, EPOCH);
  readonly #object = Buffer.from(
    JSON.stringify({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "one", namespace: NAMESPACE },
      data: { value: "x".repeat(OBJECT_BYTES) },
    }),
  );
  #revision = 0;

  constructor(bus: NatsBus, size: number) {
    this.#bus = bus;
    this.#size = size;
  }

  async wave(): Promise<void> {
    const afterRevision = this.#revision;
    for (let i = 0; i < this.#size; i++) {
      const previousRevision = this.#revision++;
      const change = {
        ...{ stream: STREAM, revision: this.#revision, previousRevision, part: 0, parts: 1 },
        ...({ operation: "put", namespace: NAMESPACE, name: "one", identityOnly: false, encoding: "json" } as const),
        object: this.#object,
      };
      const subject = this.#subjects.object({ group: "", resource: STREAM }, NAMESPACE, "one");
      await this.#send(subject, encodeEvent({ type: "change", epoch: EPOCH, change }));
    }
    const heads = { afterRevision, throughRevision: this.#revision, streams: new Map([[STREAM, this.#revision]]) };
    await this.#send(this.#subjects.heads(), encodeEvent({ type: "heads", epoch: EPOCH, heads }));
  }

  async #send(subject: string, bytes: Uint8Array): Promise<void> {
    while (!this.#bus.publish(subject, bytes)) await realClock.sleep(1);
  }
}

function report(child: ChildProcess, order?: HearersOrder): Promise<HearersReport> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error("the process of the subscribers ended"));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message as HearersReport);
    });
    if (order !== undefined) child.send(order);
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
