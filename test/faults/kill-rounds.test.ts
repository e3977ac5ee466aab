import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Informer } from "../../lib/controller/informer.ts";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { pods as podsRef } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import type { ClusterConnection } from "../../lib/role/cluster-connection.ts";
import type { EtcdStore } from "../../lib/store/etcd-store.ts";
import { eventually } from "../kit/eventually.ts";
import { TestCluster } from "../kit/keelson.ts";
import { skipping, whyNotLayout } from "../kit/requirements.ts";
import { AckedWriter } from "./acked-writer.ts";
import { historyOf, type KeyChange, stored } from "./object-history.ts";
import { PODS, PodLedger } from "./pod-ledger.ts";
import { ResumedWatch } from "./resumed-watch.ts";
import { SplitAccess } from "./split-access.ts";
import { healed, instanceOf, pidOf } from "./split-cluster-status.ts";

/** Who is killed, at the same moment, in each round. */
const ROUNDS: readonly (readonly string[])[] = [
  ["nats"],
  ["store"],
  ["leading api-server"],
  ["other api-server"],
  ["balancer"],
  ["leading scheduler"],
  ["leading controller-manager"],
  ["node-1"],
  ["store", "nats"],
  ["api-server-1", "api-server-2"],
  ["leading scheduler", "leading controller-manager"],
  ["other api-server", "store"],
  ["leading api-server", "nats"],
];
const SEED = 20;
/** Kills come at any moment of a rollout, which takes about two seconds. */
const KILL_WITHIN_MS = 1_500;
const SETTLED = { timeoutMs: 90_000 };
const SURGE = 0.25;
/** The largest batch in which pods are made here: whose answers were lost may be made once more, and deleted then. */
const BATCH = 4;
const FEWEST = 8;
const MOST = 12;

describe.skipIf(skipping("faults", whyNotLayout("split")))("F1: kill -9 under rollouts", () => {
  let cluster: TestCluster;
  let access: SplitAccess;
  let store: EtcdStore;
  let watch: ResumedWatch;
  let writer: AckedWriter;
  let role: ClusterConnection;
  let informer: Informer<Pod>;
  const random = new SeededRandom(SEED);
  let replicas = 10;
  let images = 1;
  /** Repeated calls of kubectl, of all rounds. */
  const repeated: string[] = [];

  beforeAll(async () => {
    cluster = await TestCluster.up(["--layout=split", "--runtime=simulated", "--nodes=2"]);
    access = new SplitAccess(cluster.dataDir, (await healed(cluster)).addresses["api"]!);
    store = access.openStore();
    await cluster.kubectl.ok(["create", "deployment", "web", "--image=v1", `--replicas=${replicas}`]);
    await cluster.kubectl.ok(["rollout", "status", "deployment/web", "--timeout=90s"], { timeoutMs: 100_000 });
    watch = new ResumedWatch(access, "/api/v1/namespaces/default/pods");
    await watch.start();
    writer = new AckedWriter(access);
    writer.start();
    role = access.connectRole("controller-manager");
    await role.start();
    const parts = { clock: realClock, random: realRandom, log: silentLog };
    informer = new Informer<Pod>({ ...role.components, ...parts }, podsRef);
    await informer.start();
    await informer.whenSynced();
  });
  afterAll(async () => {
    await Promise.all([watch?.stop(), writer?.stop(), informer?.stop()]);
    await role?.stop();
    await store?.close();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** As people do: a call that fails is made once more, when the cluster says that it is ready again. */
  async function kubectl(...args: string[]): Promise<void> {
    const first = await cluster.kubectl.run(["--request-timeout=20s", ...args]);
    if (first.code === 0) return;
    repeated.push(`${args.join(" ")}: ${first.stderr.trim()}`);
    await eventually(async () => expect((await cluster.status()).ready).toBe(true), SETTLED);
    await cluster.kubectl.ok(["--request-timeout=20s", ...args]);
  }

  async function settled(image: string): Promise<void> {
    await eventually(async () => {
      const text = await cluster.kubectl.ok(["get", "pods", "-l", "app=web", "-o", "json", "--request-timeout=10s"]);
      const items = JSON.parse(text).items as Pod[];
      const running = items.map(({ spec, status }) => `${spec?.containers?.[0]?.image} ${status?.phase}`);
      expect(running).toEqual(Array(replicas).fill(`${image} Running`));
    }, SETTLED);
  }

  for (const victims of ROUNDS) {
    test(`${victims.join(" and ")}`, async () => {
      const before = await healed(cluster);
      const { revision: after } = await store.status();
      const held = new PodLedger(await stored(store, PODS));
      const pids = victims
        .map((who) => instanceOf(before, who))
        .map((instance) => ({ instance, pid: pidOf(before, instance) }));
      const repeatedBefore = repeated.length;
      const listedBefore = watch.lists.length + informer.lists;
      const image = `v${++images}`;
      const most = replicas;

      const killing = new Promise((resolve) => setTimeout(resolve, random.float() * KILL_WITHIN_MS)).then(() => {
        for (const { pid } of pids) process.kill(pid, "SIGKILL");
      });
      await kubectl("set", "image", "deployment/web", `*=${image}`);
      replicas = FEWEST + Math.floor(random.float() * (MOST - FEWEST + 1));
      await kubectl("scale", "deployment/web", `--replicas=${replicas}`);
      await killing;
      await kubectl("rollout", "status", "deployment/web", "--timeout=90s");

      const healthy = await healed(cluster);
      for (const { instance, pid } of pids) expect(pidOf(healthy, instance)).not.toBe(pid);
      await settled(image);
      // Each call that was under way, and no other.
      expect(repeated.slice(repeatedBefore).length, repeated.slice(repeatedBefore).join("\n")).toBeLessThanOrEqual(1);

      const { revision: through } = await store.status();
      const history = await historyOf(store, PODS, { after, through });
      held.apply(history);
      expect(held.violations).toEqual([]);
      const largest = Math.max(most, replicas);
      const made = isOutcomeLost(victims) ? BATCH : 0;
      expect(held.mostAlive, "34").toBeLessThanOrEqual(largest + Math.ceil(largest * SURGE) + made);
      expect(held.alive).toBe(replicas);
      expect(held.bound).toBeGreaterThanOrEqual(replicas);

      expect(watch.violations).toEqual([]);
      await heardAll(history, { after, through });
      await eventually(async () => {
        const now = [...(await stored(store, PODS)).keys()].map((key) => key.slice(PODS.length));
        expect(namesOf(informer)).toEqual(now.sort());
      }, SETTLED);
      // A server that has just started knows no history and says 410; else nobody lists again.
      const listed = watch.lists.length + informer.lists - listedBefore;
      expect(listed).toBeLessThanOrEqual(victims.some((who) => who.includes("api-server")) ? 2 : 0);
    });
  }

  /** The watch was told of every change once, in order (invariants 17 and 18). */
  async function heardAll(history: readonly KeyChange[], range: { after: number; through: number }): Promise<void> {
    await eventually(() => {
      const after = Math.max(range.after, watch.lists.at(-1)!);
      const heard = watch.events
        .filter(({ revision }) => revision > after && revision <= range.through)
        .map(({ revision, type, name }) => `${revision} ${type} ${name}`);
      const expected = history
        .filter(({ revision }) => revision > after)
        .map(({ type, key, revision }) => `${revision} ${type} ${key.slice(PODS.length)}`);
      // Told apart, so that a failure is short.
      expect(expected.filter((one) => !heard.includes(one))).toEqual([]);
      expect(heard.filter((one, index) => !expected.includes(one) || heard.indexOf(one) !== index)).toEqual([]);
      expect(heard).toEqual(expected);
    });
  }

  test("nothing that was acknowledged is lost", async () => {
    await writer.stop();
    expect(await writer.lost()).toEqual([]);
    expect(writer.writes).toBeGreaterThan(100);
  });
});

function isOutcomeLost(victims: readonly string[]): boolean {
  return victims.some((who) => who === "store" || who.includes("api-server"));
}

function namesOf(informer: Informer<Pod>): string[] {
  return informer.store
    .list()
    .map(({ metadata }) => metadata?.name ?? "")
    .sort();
}
