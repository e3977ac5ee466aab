import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ApiObject } from "../../lib/client/api-object.ts";
import { Informer } from "../../lib/controller/informer.ts";
import { silentLog } from "../../lib/core/log.ts";
import type { BusChanges } from "../../lib/events/bus-changes.ts";
import type { ConfigMap, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { configMaps, pods } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import type { ResourceRef } from "../../lib/resource/kind.ts";
import type { ClusterConnection } from "../../lib/role/cluster-connection.ts";
import type { EtcdStore } from "../../lib/store/etcd-store.ts";
import { expectEqual } from "../events/bus-process.ts";
import { eventually } from "../kit/eventually.ts";
import { TestCluster } from "../kit/keelson.ts";
import { skipping, whyNotLayout } from "../kit/requirements.ts";
import { AckedWriter, CONFIG_MAPS } from "./acked-writer.ts";
import { ClientSession } from "./client-session.ts";
import { historyOf, stored } from "./object-history.ts";
import { PODS, PodLedger } from "./pod-ledger.ts";
import { SplitAccess } from "./split-access.ts";
import { healed, instanceOf, pidOf } from "./split-cluster-status.ts";

const FROZEN_MS = 20_000;
const LIMIT = { timeoutMs: 90_000 };
const PUBLISHER_KEY = "/keelson/events/publisher";
const NOTHING_REFUSED = { undecodable: 0, epoch: 0, stream: 0, "above-durable": 0, forged: 0 };

/** What serves, publishes or carries events stands still, while clients and informers go on. */
describe.skipIf(skipping("faults", whyNotLayout("split")))("servers that are frozen", () => {
  let cluster: TestCluster;
  let access: SplitAccess;
  let store: EtcdStore;
  let role: ClusterConnection;
  let podInformer: Informer<Pod>;
  let mapInformer: Informer<ConfigMap>;
  const frozen = new Set<number>();
  /** What runs beside a test. */
  const running: { start(): void; stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    cluster = await TestCluster.up(["--layout=split", "--runtime=simulated", "--nodes=2"]);
    access = new SplitAccess(cluster.dataDir, (await healed(cluster)).addresses["api"]!);
    store = access.openStore();
    role = access.connectRole("controller-manager");
    await role.start();
    podInformer = await follow(pods);
    mapInformer = await follow(configMaps);
    await cluster.kubectl.ok(["create", "deployment", "web", "--image=v1", "--replicas=6"]);
    await rolledOut();
  });
  afterEach(async () => {
    for (const pid of frozen) thaw(pid);
    await Promise.all(running.splice(0).map((one) => one.stop()));
  });
  afterAll(async () => {
    await Promise.all([podInformer?.stop(), mapInformer?.stop()]);
    await role?.stop();
    await store?.close();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** As a role's process does: by the bus, where it can be. */
  async function follow<T extends ApiObject>(ref: ResourceRef<T>): Promise<Informer<T>> {
    const parts = { clock: realClock, random: realRandom, log: silentLog };
    const informer = new Informer<T>({ ...role.components, ...parts }, ref);
    await informer.start();
    await informer.whenSynced();
    return informer;
  }

  const countsOf = (stream: string) => (role.components.changes as BusChanges).counts.get(stream)!;

  /** Informers hold what the API holds, without having listed again, and were told nothing that was not so. */
  async function informersEqual(listsMax = 1): Promise<void> {
    await expectEqual(podInformer, role.components.api);
    await expectEqual(mapInformer, role.components.api);
    expect(Math.max(podInformer.lists, mapInformer.lists)).toBeLessThanOrEqual(listsMax);
    for (const stream of ["pods", "configmaps"]) expect(countsOf(stream).refused).toEqual(NOTHING_REFUSED);
  }

  function freeze(pid: number): void {
    process.kill(pid, "SIGSTOP");
    frozen.add(pid);
  }

  function thaw(pid: number): void {
    frozen.delete(pid);
    process.kill(pid, "SIGCONT");
  }

  const revision = async () => (await store.status()).revision;

  async function rolledOut(): Promise<void> {
    await cluster.kubectl.ok(["rollout", "status", "deployment/web", "--timeout=90s"], { timeoutMs: 100_000 });
  }

  test("F2, invariant 19: the publisher and a node agent are frozen for 20 s; no session goes back in time", async () => {
    const before = await healed(cluster);
    const publisher = instanceOf(before, "leading api-server");
    const other = instanceOf(before, "other api-server");
    const ledger = new PodLedger(await stored(store, PODS));
    const after = await revision();
    const [ofNode] = podInformer.store.list().filter(({ spec }) => spec?.nodeName === "node-1");
    const writer = new AckedWriter(access);
    const session = new ClientSession(access, path.join(cluster.dataDir, "kubeconfig"));
    running.push(writer, session);
    for (const one of running) one.start();
    await eventually(() => expect([session.reads > 10, session.watched > 10]).toEqual([true, true]));

    const victims = [pidOf(before, publisher), pidOf(before, "node-1")];
    const frozenAtMs = performance.now();
    for (const pid of victims) freeze(pid);
    await eventually(async () => {
      const { status } = await access.request("DELETE", `/api/v1/namespaces/default/pods/${ofNode!.metadata!.name}`, {
        at: other,
      });
      expect([200, 202]).toContain(status);
    });
    const scaled = await access.request("PATCH", "/apis/apps/v1/namespaces/default/deployments/web/scale", {
      ...{ body: { spec: { replicas: 12 } }, at: other },
    });
    expect(scaled.status).toBe(200);
    await eventually(async () => {
      const { roles } = await cluster.status();
      expect(roles.find(({ instance }) => instance === other)).toMatchObject({ leader: true });
    }, LIMIT);
    await informersEqual();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, frozenAtMs + FROZEN_MS - performance.now())));

    const woken = await revision();
    for (const pid of victims) thaw(pid);
    await rolledOut();
    const healthy = await healed(cluster);
    expect(instanceOf(healthy, "leading api-server")).toBe(other);
    // An api-server has nothing to lose but its turn to publish; a node's pods are its own.
    expect([pidOf(healthy, publisher), pidOf(healthy, "node-1")]).toEqual(victims);
    const turns = await historyOf(store, PUBLISHER_KEY, { after, through: await revision() });
    expect(turns.map(({ type }) => type)).toEqual(["DELETED", "ADDED"]);
    expect(turns.filter((turn) => turn.revision > woken)).toEqual([]);

    await eventually(async () => expect(await stored(store, `${PODS}${ofNode!.metadata!.name}`)).toEqual(new Map()));
    ledger.apply(await historyOf(store, PODS, { after, through: await revision() }));
    expect(ledger.violations).toEqual([]);
    expect(ledger.alive).toBe(12);
    const restarts = podInformer.store.list().map(({ status }) => status?.containerStatuses?.[0]?.restartCount ?? 0);
    expect(new Set(restarts)).toEqual(new Set([0]));

    const seen = { reads: session.reads, watched: session.watched };
    await eventually(() => {
      expect(session.reads).toBeGreaterThan(seen.reads + 20);
      expect(session.watched).toBeGreaterThan(seen.watched + 20);
    });
    await Promise.all([writer.stop(), session.stop()]);
    expect(session.violations).toEqual([]);
    expect(await writer.lost()).toEqual([]);
    await informersEqual();
  });

  test("F8: nats-server hangs for good: everything goes on by watch, and by the bus when it answers again", async () => {
    const pid = pidOf(await healed(cluster), "nats");
    const resumes = countsOf("pods").resumes;
    freeze(pid);
    for (const image of ["v2", "v3"]) {
      await cluster.kubectl.ok(["set", "image", "deployment/web", `*=${image}`]);
      await rolledOut();
      await informersEqual();
    }
    const images = podInformer.store.list().filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    expect(new Set(images.map(({ spec }) => spec?.containers?.[0]?.image))).toEqual(new Set(["v3"]));
    expect(countsOf("pods").resumes).toBeGreaterThan(resumes);
    thaw(pid);
    await healed(cluster);
    await cluster.kubectl.ok(["set", "image", "deployment/web", "*=v4"]);
    await rolledOut();
    await informersEqual();
  });

  test("F8: the publisher is killed between commit and publish", async () => {
    const status = await healed(cluster);
    const publisher = instanceOf(status, "leading api-server");
    const other = instanceOf(status, "other api-server");
    await informersEqual();
    // It publishes nothing any more, and the other does not yet: its lease of 5 s holds.
    freeze(pidOf(status, publisher));
    for (let i = 0; i < 20; i++) {
      const body = { metadata: { name: `unpublished-${i}` } };
      expect((await access.request("POST", CONFIG_MAPS, { body, at: other })).status).toBe(201);
    }
    const last = await access.request("DELETE", `${CONFIG_MAPS}/unpublished-0`, { at: other });
    expect(last.status).toBe(200);
    // The one that is started in its place knows no history, and says 410 to whoever asks it for some.
    const listsMax = 2;
    process.kill(pidOf(status, publisher), "SIGKILL");
    frozen.clear();
    await eventually(() => {
      const names = mapInformer.store.list().map(({ metadata }) => metadata?.name ?? "");
      expect(names.filter((name) => name.startsWith("unpublished-"))).toHaveLength(19);
    });
    await informersEqual(listsMax);
    await healed(cluster);
    await informersEqual(listsMax);
  });
});
