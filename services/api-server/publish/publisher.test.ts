import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { type Change, decodeEvent, type EventMessage, encodeEvent } from "../../../lib/events/envelope.ts";
import { MemoryBus } from "../../../lib/events/memory-bus.ts";
import { StreamFollower } from "../../../lib/events/stream-follower.ts";
import type { ObjectChange, SourceBatch } from "../../../lib/events/stream-source.ts";
import { type StreamIdentity, Subjects } from "../../../lib/events/subjects.ts";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { Codec } from "../../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import { prefixEnd, type Store, type StoreOp } from "../../../lib/store/store.ts";
import type { SqliteStore } from "../../store/sqlite-store.ts";
import { openTestStore } from "../../store/testkit/test-store.ts";
import { KindTable } from "../core/kind-table.ts";
import { Publisher } from "./publisher.ts";
import { storeEpoch } from "./store-epoch.ts";

const CLUSTER = "test";
const kinds = new KindTable(loadRegistry(kindDescriptors), new Codec());
const pods = kinds.get("", "v1", "pods").stored;
const PODS: StreamIdentity = { group: "", resource: "pods" };

let clock: VirtualClock;
let store: SqliteStore;
let bus: MemoryBus;
let ending: AbortController;
let stops: (() => Promise<void>)[];
/** In place of the store's. */
let epoch: string | undefined;

beforeEach(async () => {
  clock = new VirtualClock();
  store = await openTestStore({ clock });
  bus = new MemoryBus();
  ending = new AbortController();
  stops = [];
  epoch = undefined;
  await bus.start();
});

afterEach(async () => {
  ending.abort();
  const stopping = stops.map((stop) => stop());
  await clock.advance(10_000);
  await Promise.all(stopping);
  await store.close();
});

/** A process with a publisher that can be killed: from then on nothing goes to the store or the bus, or comes from them. */
async function startPublisher(holder: string): Promise<{ readonly publisher: Publisher; kill(): void }> {
  let dead = false;
  const own: Store = new Proxy<Store>(store, {
    get(target, member: keyof Store) {
      if (member === "watch")
        return dead ? () => target.watch({ key: Buffer.from("nothing") }) : target.watch.bind(target);
      return async (...args: never[]) => {
        if (dead) throw new Error("killed");
        return (target[member] as (...of: never[]) => unknown).apply(target, args);
      };
    },
  });
  const ownBus = new Proxy(bus, {
    get(target, member: keyof MemoryBus) {
      return member === "publish" && dead ? () => false : target[member].bind(target);
    },
  });
  const publisher = new Publisher(
    {
      store: own,
      bus: ownBus,
      clock,
      log: silentLog,
      kinds: kinds.stored(),
      epoch: async () => epoch ?? store.identity.epoch,
    },
    { cluster: CLUSTER, holder },
  );
  await publisher.start();
  stops.push(() => publisher.stop());
  return {
    publisher,
    kill() {
      dead = true;
    },
  };
}

/** An election takes turns of the store, and no time where the lease is free. */
function leads(publisher: Publisher): Promise<void> {
  return expect.poll(() => publisher.leading, { interval: 1 }).toBe(true);
}

function podBytes(name: string, text: string, nodeName?: string): Uint8Array {
  const metadata = { name, namespace: "default", labels: { text } };
  return pods.encodeStored({ metadata, spec: nodeName === undefined ? {} : { nodeName } });
}

function putOp(name: string, text: string, nodeName?: string): StoreOp {
  return { type: "put", key: Buffer.from(`/registry/pods/default/${name}`), value: podBytes(name, text, nodeName) };
}

async function write(...ops: StoreOp[]): Promise<number> {
  return (await store.txn({ compare: [], success: ops })).revision;
}

async function heardBy(pattern: string): Promise<EventMessage[]> {
  const heard: EventMessage[] = [];
  const message = (_: string, bytes: Uint8Array) => void heard.push(decodeEvent(bytes)!);
  await bus.subscribe(pattern, { message, gap: () => {} }, ending.signal);
  return heard;
}

const objectOf = (key: Uint8Array) => ({ namespace: "default", name: Buffer.from(key).toString().split("/").at(-1)! });

/** Pods straight from the store. */
async function* podsFrom(fromRevision: number, signal: AbortSignal): AsyncGenerator<SourceBatch<string>> {
  const { revision } = await store.status();
  if (revision <= fromRevision) yield { changes: [], throughRevision: revision, isCurrent: true };
  const watch = store.watch({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), startRevision: fromRevision + 1 });
  signal.addEventListener("abort", () => watch.cancel(), { once: true });
  for await (const batch of watch) {
    if (batch.type !== "events") continue;
    const changes: ObjectChange<string>[] = batch.events
      .filter(({ kv }) => Buffer.from(kv.key).toString().startsWith("/registry/pods/"))
      .map(({ type, kv }) => {
        const object = Buffer.from(kv.value).toString();
        return { ...objectOf(kv.key), revision: kv.modRevision, operation: type, object };
      });
    yield { changes, throughRevision: batch.revision, isCurrent: batch.revision >= revision };
  }
}

interface Following {
  readonly follower: StreamFollower<string>;
  /** Revision and bytes, by name. */
  readonly state: Map<string, string>;
}

/** From a store that holds none of the stream. */
async function follow(stream: StreamIdentity): Promise<Following> {
  const state = new Map<string, string>();
  const apply = (changes: readonly ObjectChange<string>[]) => {
    for (const { operation, namespace, name, revision, object } of changes) {
      if (operation === "put") state.set(`${namespace}/${name}`, `${revision}:${object}`);
      else state.delete(`${namespace}/${name}`);
    }
  };
  const decode = (change: Change) => Buffer.from(change.object).toString();
  const { epoch } = store.identity;
  const follower = new StreamFollower(
    { bus, source: { follow: podsFrom }, sink: { apply }, decode, clock, log: silentLog },
    { cluster: CLUSTER, epoch, stream, silenceMs: 60_000 },
  );
  const { revision } = await store.status();
  const running = follower.run(revision, ending.signal);
  stops.push(() => running);
  await expect.poll(() => follower.coveredRevision).toBe(revision);
  return { follower, state };
}

test("changes go out in revision order, whole transactions with their parts, and heads tell of the last ones", async () => {
  const heard = await heardBy(">");
  const { publisher } = await startPublisher("a");
  await leads(publisher);
  const first = await write(putOp("p1", "x"), putOp("p2", "x"));
  await write({ type: "put", key: Buffer.from("/other/key"), value: Buffer.from("x") });
  const last = await write({ type: "delete", key: Buffer.from("/registry/pods/default/p1") });
  await clock.advance(1_100);
  const changes = heard.flatMap((one) => (one.type === "change" ? [one.change] : []));
  expect(changes).toMatchObject([
    { stream: "pods", revision: first, part: 0, parts: 2, operation: "put", name: "p1", encoding: "protobuf" },
    { stream: "pods", revision: first, part: 1, parts: 2, operation: "put", name: "p2" },
    { stream: "pods", revision: last, previousRevision: first, part: 0, parts: 1, operation: "delete", name: "p1" },
  ]);
  expect(changes[0]!.previousRevision).toBeLessThan(first);
  expect(Buffer.from(changes[0]!.object)).toEqual(Buffer.from(podBytes("p1", "x")));
  const heads = heard.flatMap((one) => (one.type === "heads" ? [one.heads] : []));
  expect(heads.at(-1)).toMatchObject({ throughRevision: last, streams: new Map([["pods", last]]) });
});

test("a node hears of its own pods, their end included, and of no others", async () => {
  const heard = await heardBy(new Subjects(CLUSTER, store.identity.epoch).node("n1"));
  const { publisher } = await startPublisher("a");
  await leads(publisher);
  await write(putOp("mine", "x"));
  await write(putOp("mine", "x", "n1"));
  await write(putOp("other", "x", "n2"));
  await write({ type: "delete", key: Buffer.from("/registry/pods/default/mine") });
  await clock.advance(100);
  const changes = heard.map((one) => (one.type === "change" ? `${one.change.stream} ${one.change.operation}` : ""));
  expect(changes).toEqual(["pods@n1 put", "pods@n1 delete"]);
});

test("invariant 53: no value of a sensitive kind is on the bus, nor an object that is too large", async () => {
  const raw: string[] = [];
  const message = (_: string, bytes: Uint8Array) => void raw.push(Buffer.from(bytes).toString("latin1"));
  await bus.subscribe(">", { message, gap: () => {} }, ending.signal);
  const heard = await heardBy(">");
  const { publisher } = await startPublisher("a");
  await leads(publisher);
  const secret = (name: string): StoreOp => ({
    type: "put",
    key: Buffer.from(`/registry/secrets/default/${name}`),
    value: Buffer.from(`k8s\0 CANARY-${name}`),
  });
  await write(secret("s1"));
  await write(secret("s1"));
  await write({ type: "delete", key: Buffer.from("/registry/secrets/default/s1") });
  await write(putOp("large", "x".repeat(300_000)));
  await clock.advance(100);
  expect(raw.join("")).not.toContain("CANARY");
  const changes = heard.flatMap((one) => (one.type === "change" ? [one.change] : []));
  expect(changes.map((change) => [change.name, change.operation, change.identityOnly, change.object.length])).toEqual([
    ["s1", "put", true, 0],
    ["s1", "put", true, 0],
    ["s1", "delete", false, 0],
    ["large", "put", true, 0],
  ]);
});

test("one publishes, and its successor begins where it was killed: no event is lost, nothing is asked of the API", async () => {
  const [a, b] = [await startPublisher("a"), await startPublisher("b")];
  await expect.poll(() => a.publisher.leading || b.publisher.leading).toBe(true);
  await clock.advance(1_100);
  const [leader, standby] = a.publisher.leading ? [a, b] : [b, a];
  expect(standby.publisher.leading).toBe(false);
  const { follower, state } = await follow(PODS);
  for (let i = 0; i < 30; i++) {
    if (i === 20) leader.kill();
    await write(putOp(`p${i % 7}`, String(i)), putOp(`q${i}`, String(i)));
    await clock.advance(90);
  }
  expect(state.has("default/q20")).toBe(false);
  await clock.advance(5_000);
  await leads(standby.publisher);
  await clock.advance(1_500);
  const { kvs, revision } = await store.range({
    key: Buffer.from("/registry/pods/"),
    rangeEnd: prefixEnd(Buffer.from("/registry/pods/")),
  });
  expect(state).toEqual(
    new Map(kvs.map((kv) => [`default/${objectOf(kv.key).name}`, `${kv.modRevision}:${Buffer.from(kv.value)}`])),
  );
  expect(follower.coveredRevision).toBe(revision);
  expect(follower.counts).toMatchObject({ resumes: 1 });
  expect(follower.counts.refused).toEqual({ undecodable: 0, epoch: 0, stream: 0, "above-durable": 0, forged: 0 });
});

test("a publisher that stops frees the lease at once", async () => {
  const a = await startPublisher("a");
  await leads(a.publisher);
  const b = await startPublisher("b");
  await clock.advance(100);
  expect(b.publisher.leading).toBe(false);
  await a.publisher.stop();
  await leads(b.publisher);
});

test("forged heads do not keep a successor from publishing", async () => {
  const a = await startPublisher("a");
  await leads(a.publisher);
  const b = await startPublisher("b");
  const { state } = await follow(PODS);
  await clock.advance(10);
  a.kill();
  const heads = { afterRevision: 5, throughRevision: 1_000_000, streams: new Map() };
  bus.publish(
    new Subjects(CLUSTER, store.identity.epoch).heads(),
    encodeEvent({ type: "heads", epoch: store.identity.epoch, heads }),
  );
  await clock.advance(5_000);
  await leads(b.publisher);
  await clock.advance(100);
  await write(putOp("after", "x"));
  await clock.advance(3_000);
  expect([...state.keys()]).toEqual(["default/after"]);
});

test("a store that is restored under the publisher has its events published under its new epoch", async () => {
  const { publisher } = await startPublisher("a");
  await leads(publisher);
  epoch = "restored";
  const heard = await heardBy(new Subjects(CLUSTER, epoch).stream(PODS));
  await clock.advance(6_000);
  await leads(publisher);
  await clock.advance(1_100);
  await write(putOp("after", "x"));
  await clock.advance(100);
  expect(heard).toMatchObject([{ epoch, change: { name: "after" } }]);
});

test("the epoch is one for all who ask, and another one once its key is deleted", async () => {
  const random = new SeededRandom(1);
  const asked = await Promise.all([storeEpoch({ store, random }), storeEpoch({ store, random })]);
  expect(asked[0]).toBe(asked[1]);
  expect(await storeEpoch({ store, random })).toBe(asked[0]);
  await write({ type: "delete", key: Buffer.from("/keelson/epoch") });
  expect(await storeEpoch({ store, random })).not.toBe(asked[0]);
});
