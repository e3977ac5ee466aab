import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Informer } from "../../lib/controller/informer.ts";
import type { ConfigMap } from "../../lib/gen/k8s/core/v1.ts";
import { configMaps } from "../../lib/gen/k8s/resources.ts";
import type { ApiFixture } from "../api/api-fixture.ts";
import { EtcdCluster, type EtcdMember } from "../kit/etcd-cluster.ts";
import { eventually } from "../kit/eventually.ts";
import { TcpProxy } from "../kit/tcp-proxy.ts";
import { CONFIG_MAPS, etcdStore, namesOf, post, revisionOf, startTwo, type TwoServers } from "./two-servers.ts";

/** A read or write that the store does not answer ends by then, on a busy machine too. */
const ANSWER_LIMIT_MS = 25_000;
const SOON = { timeoutMs: 60_000 };

let cluster: EtcdCluster;
let servers: TwoServers;
let first: ApiFixture;
let second: ApiFixture;
let proxy: TcpProxy;

beforeAll(async () => {
  cluster = await EtcdCluster.start(3);
});
afterAll(async () => {
  await cluster.stop();
});
beforeEach(async () => {
  await cluster.healthy();
  await cluster.etcdctl(["del", "/registry/", "--prefix"]);
  const [one, two, three] = cluster.endpoints as [string, string, string];
  proxy = await TcpProxy.start(two);
  servers = await startTwo([etcdStore([one, two, three]), etcdStore([proxy.address])]);
  ({ first, second } = servers);
});
afterEach(async () => {
  await servers[Symbol.asyncDispose]();
  await proxy.stop();
});

async function timed<T>(work: Promise<T>): Promise<T> {
  const startedMs = performance.now();
  try {
    return await work;
  } finally {
    expect(performance.now() - startedMs).toBeLessThan(ANSWER_LIMIT_MS);
  }
}

async function listed(of: ApiFixture): Promise<string[]> {
  const answer = await of.send("GET", CONFIG_MAPS);
  expect(answer.status).toBe(200);
  return namesOf(answer).sort();
}

/** What every client sees in the end: both servers and the informers the same. */
async function agree(informers: readonly Informer<ConfigMap>[]): Promise<string[]> {
  const names = await eventually(() => listed(first), SOON);
  expect(await eventually(() => listed(second), SOON)).toEqual(names);
  for (const informer of informers) {
    await eventually(() => {
      const held = informer.store.list().map((object) => object.metadata?.name);
      expect(held.sort()).toEqual(names);
    }, SOON);
  }
  return names;
}

/** Writers on both servers until `stop`: creates, and one counter that is raised by compare. */
function writers() {
  const tally = {
    acknowledged: [] as string[],
    unknown: [] as string[],
    raised: 0,
    unknownRaises: 0,
    codes: new Set<number>(),
  };
  let stopped = false;
  let number = 0;
  const write = async (of: ApiFixture): Promise<void> => {
    while (!stopped) {
      const name = `w${number++}`;
      const { status } = await timed(post(of, name));
      tally.codes.add(status);
      if (status === 201) tally.acknowledged.push(name);
      else tally.unknown.push(name);
      const current = await timed(of.send("GET", `${CONFIG_MAPS}/counter`));
      tally.codes.add(current.status);
      if (current.status !== 200) continue;
      const object = current.json() as { data: { count: string } };
      object.data.count = String(Number(object.data.count) + 1);
      const update = await timed(of.send("PUT", `${CONFIG_MAPS}/counter`, { body: JSON.stringify(object) }));
      tally.codes.add(update.status);
      if (update.status === 200) tally.raised++;
      else if (update.status !== 409) tally.unknownRaises++;
    }
  };
  const running = Promise.all([write(first), write(second), write(first)]);
  return {
    tally,
    async stop() {
      stopped = true;
      await running;
      return tally;
    },
  };
}

test("F9: the leader is moved and killed under writes: nothing acknowledged is lost, nobody is told a wrong success", async () => {
  expect((await post(first, "counter", { count: "0" })).status).toBe(201);
  const informers = [await servers.informer(), await servers.informer([second])];
  const writing = writers();
  const enough = (more: number) => {
    const goal = writing.tally.acknowledged.length + more;
    return eventually(() => expect(writing.tally.acknowledged.length).toBeGreaterThan(goal), SOON);
  };
  await enough(20);
  await cluster.moveLeader();
  await enough(20);
  const leader = await cluster.leader();
  await leader.kill();
  await enough(20);
  leader.start();
  await cluster.healthy();
  await enough(20);
  const { acknowledged, unknown, raised, unknownRaises, codes } = await writing.stop();
  expect([...codes].filter((code) => ![200, 201, 409, 503, 504].includes(code))).toEqual([]);
  const names = await agree(informers);
  const known = new Set([...acknowledged, ...unknown, "counter", "kube-root-ca.crt"]);
  expect(names).toEqual(expect.arrayContaining(acknowledged));
  expect(names.filter((name) => !known.has(name))).toEqual([]);
  const counter = await first.client.get(configMaps, { namespace: "default", name: "counter" });
  const count = Number(counter.data?.["count"]);
  expect(count).toBeGreaterThanOrEqual(raised);
  expect(count).toBeLessThanOrEqual(raised + unknownRaises);
  for (const informer of informers) expect(informer.lists).toBe(1);
});

test("F9: without a quorum nothing old is shown for new, all ends in time, and it heals by itself", async () => {
  expect((await post(first, "before")).status).toBe(201);
  const informers = [await servers.informer(), await servers.informer([second])];
  await agree(informers);
  const others = cluster.members.filter((member) => member !== cluster.members[1]) as EtcdMember[];
  await Promise.all(others.map((member) => member.kill()));
  for (const of of [first, second]) {
    for (const work of [
      of.send("GET", CONFIG_MAPS),
      of.send("GET", `${CONFIG_MAPS}/before`),
      post(of, "during"),
      of.send("DELETE", `${CONFIG_MAPS}/before`),
    ]) {
      const answer = await timed(work);
      expect([503, 504]).toContain(answer.status);
      expect(answer.json()).toMatchObject({ kind: "Status", status: "Failure" });
    }
    expect((await of.send("GET", "/readyz")).status).toBe(500);
    // Who asks for any state gets one.
    expect(namesOf(await of.send("GET", `${CONFIG_MAPS}?resourceVersion=0`))).toContain("before");
  }
  for (const member of others) member.start();
  await cluster.healthy();
  for (const of of [first, second]) {
    await eventually(async () => expect((await of.send("GET", "/readyz")).status).toBe(200), SOON);
    await eventually(async () => expect([201, 409]).toContain((await post(of, "after")).status), SOON);
  }
  // A write that was answered by 503 or 504 may have been made all the same, once there was a quorum: the creation and the
  // deletion above, too.
  const names = await agree(informers);
  expect(names).toContain("after");
  expect(["after", "before", "during"]).toEqual(expect.arrayContaining(names));
  for (const informer of informers) expect(informer.lists).toBe(1);
});

async function compactNow(): Promise<void> {
  const { revision } = await first.store.range({ key: Buffer.from("x"), countOnly: true });
  const { code, stderr } = await cluster.etcdctl(["compact", String(revision)]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
}

test("F9: others compact: pages and exact lists of the past are 410, watches that run are not touched", async () => {
  for (const name of ["a", "b", "c", "d"]) expect((await post(first, name)).status).toBe(201);
  const informer = await servers.informer();
  const page = await first.send("GET", `${CONFIG_MAPS}?limit=2`);
  const { resourceVersion, continue: token } = page.json()["metadata"] as { resourceVersion: string; continue: string };
  await post(second, "e");
  // A page of the past comes from either server, until it is gone.
  for (const of of [first, second]) {
    const rest = await of.send("GET", `${CONFIG_MAPS}?limit=10&continue=${token}`);
    expect(namesOf(rest)).toEqual(["c", "d"]);
    expect(revisionOf(rest)).toBe(resourceVersion);
  }
  await compactNow();
  for (const of of [first, second]) {
    const rest = await of.send("GET", `${CONFIG_MAPS}?limit=10&continue=${token}`);
    expect(rest.status).toBe(410);
    const exact = `${CONFIG_MAPS}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`;
    const past = await of.send("GET", exact);
    expect(past.json()).toMatchObject({ code: 410, reason: "Expired" });
  }
  await post(second, "f");
  expect(await agree([informer])).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(informer.lists).toBe(1);
});

test("F9, F10: history that a cut-off server has not read is compacted: it lists once, and so do its clients", async () => {
  await post(first, "a");
  const informers = [await servers.informer([first]), await servers.informer([second])];
  await agree(informers);
  proxy.refuse();
  for (const name of ["b", "c", "d"]) expect((await post(first, name)).status).toBe(201);
  expect((await first.send("DELETE", `${CONFIG_MAPS}/a`)).status).toBe(200);
  await compactNow();
  proxy.admit();
  expect(await agree(informers)).toEqual(["b", "c", "d"]);
  await post(second, "e");
  await agree(informers);
  expect(informers.map(({ lists }) => lists)).toEqual([1, 2]);
});
