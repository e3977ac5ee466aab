import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { NatsBus } from "../../lib/events/nats/nats-bus.ts";
import { StreamFollower } from "../../lib/events/stream-follower.ts";
import type { Answer, ObjectChange } from "../../lib/events/stream-source.ts";
import { FollowedState } from "../../lib/events/testkit/stream-world.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { Codec } from "../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { prefixEnd } from "../../lib/store/store.ts";
import { KindTable } from "../../services/api-server/core/kind-table.ts";
import { Publisher } from "../../services/api-server/publish/publisher.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";
import { openTestStore, put, remove } from "../../services/store/testkit/test-store.ts";
import { eventually } from "../kit/eventually.ts";
import { NatsServer } from "../kit/nats.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";

const key = Buffer.from("/registry/configmaps/");
const kinds = new KindTable(loadRegistry(kindDescriptors), new Codec());

describe.skipIf(skipping("events-over-nats", whyNotPrograms(["nats-server"])))("events over a real nats-server", () => {
  let server: NatsServer;
  let store: SqliteStore;
  let publisher: Publisher;
  let follower: StreamFollower;
  const buses: NatsBus[] = [];
  const state = new FollowedState();

  async function newBus(name: string): Promise<NatsBus> {
    const options = { servers: [server.address], name, reconnectDelayMs: 50 };
    const bus = new NatsBus({ clock: realClock, log: silentLog }, options);
    await bus.start();
    buses.push(bus);
    return bus;
  }

  /** Every config map; a resume is answered with what is newer, deletions found by what is absent. */
  async function read(from: number): Promise<Answer> {
    const { kvs, revision } = await store.range({ key, rangeEnd: prefixEnd(key) });
    const there = new Map(kvs.map((kv) => [Buffer.from(kv.key).toString().split("/").at(-1)!, kv]));
    const puts = Array.from(there, ([name, kv]): ObjectChange => {
      const object = kv.value;
      return { namespace: "default", name, revision: kv.modRevision, operation: "put", encoding: "json", object };
    });
    const gone = [...state.objects.keys()]
      .map((one) => one.slice("default/".length))
      .filter((name) => !there.has(name));
    const none = { operation: "delete", encoding: undefined, object: new Uint8Array() } as const;
    const deletions = gone.map((name): ObjectChange => ({ namespace: "default", name, revision, ...none }));
    return { changes: [...puts.filter((one) => one.revision > from), ...deletions], throughRevision: revision };
  }

  async function expectEqual(): Promise<void> {
    const { changes } = await read(0);
    const wanted = changes.filter((one) => one.operation === "put");
    const texts = wanted.map((one) => [`default/${one.name}`, `${one.revision}:${Buffer.from(one.object)}`] as const);
    expect(state.objects).toEqual(new Map(texts));
  }

  beforeAll(async () => {
    server = await NatsServer.start();
    store = await openTestStore({ clock: realClock });
    const components = { clock: realClock, log: silentLog };
    const options = { cluster: "test", epoch: store.epoch };
    publisher = new Publisher(
      { ...components, store, bus: await newBus("publisher"), kinds: kinds.stored() },
      { ...options, holder: "a" },
    );
    await publisher.start();
    const source = { resume: read, list: () => read(0) };
    follower = new StreamFollower(
      { ...components, bus: await newBus("follower"), source, sink: state },
      { ...options, stream: { group: "", resource: "configmaps" } },
    );
    await follower.start();
    await eventually(() => expect(publisher.leading).toBe(true));
  });
  afterAll(async () => {
    await Promise.all([follower.stop(), publisher.stop()]);
    await Promise.all(buses.map((bus) => bus.stop()));
    await store.close();
    await server.stop();
  });

  test("a follower hears every change and asks for nothing", async () => {
    // The first heads say where the publisher began.
    await put(store, "/registry/configmaps/default/first", "{}");
    await eventually(() => expect(state.objects.size).toBe(1));
    const { resumes } = follower.counts;
    for (let i = 0; i < 300; i++) await put(store, `/registry/configmaps/default/m${i % 40}`, `{"i":${i}}`);
    await remove(store, "/registry/configmaps/default/m7");
    await eventually(expectEqual);
    expect(follower.counts).toMatchObject({ resumes, relists: 0 });
  });

  test("F8: nats-server is killed, changes go on, it comes back: the follower ends equal, without a list", async () => {
    await server.kill();
    for (let i = 0; i < 50; i++) await put(store, `/registry/configmaps/default/k${i}`, "{}");
    await remove(store, "/registry/configmaps/default/m8");
    await eventually(expectEqual);
    await server.startAgain();
    await put(store, "/registry/configmaps/default/back", "{}");
    await eventually(expectEqual);
    expect(follower.counts.relists).toBe(0);
    expect(follower.counts.refused).toEqual({ undecodable: 0, epoch: 0, stream: 0, "above-durable": 0, forged: 0 });
  });
});
