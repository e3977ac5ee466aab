import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Lease } from "../../lib/gen/k8s/coordination/v1.ts";
import type { EtcdStore } from "../../lib/store/etcd-store.ts";
import { eventually } from "../kit/eventually.ts";
import { TestCluster, type TestClusterStatus } from "../kit/keelson.ts";
import { skipping, whyNotLayout } from "../kit/requirements.ts";
import { historyOf, type KeyChange, stored, storedDecoder } from "./object-history.ts";
import { PODS, PodLedger } from "./pod-ledger.ts";
import { SplitAccess } from "./split-access.ts";
import { healed, instanceOf, pidOf } from "./split-cluster-status.ts";

const FROZEN_MS = 20_000;
const LIMIT = { timeoutMs: 90_000 };
const DEPLOYMENTS = "/registry/deployments/default/";
const REPLICA_SETS = "/registry/replicasets/default/";
const EVENTS = "/registry/events/default/";
/** All that schedulers and controllers write about the workload here. */
const WORKLOAD = [PODS, DEPLOYMENTS, REPLICA_SETS, EVENTS];
const ELECTED = ["scheduler", "controller-manager"] as const;
type Elected = (typeof ELECTED)[number];
const decodeLease = storedDecoder("coordination.k8s.io", "v1", "leases") as (bytes: Uint8Array) => Lease;

/** Processes that stop without ending, and go on when others have taken over (invariant 33). */
describe.skipIf(skipping("faults", whyNotLayout("split")))("F2: leaders that are frozen", () => {
  let cluster: TestCluster;
  let access: SplitAccess;
  let store: EtcdStore;
  const frozen = new Set<number>();

  beforeAll(async () => {
    cluster = await TestCluster.up(["--layout=split", "--runtime=simulated", "--nodes=2"]);
    access = new SplitAccess(cluster.dataDir, (await healed(cluster)).addresses["api"]!);
    store = access.openStore();
    await cluster.kubectl.ok(["create", "deployment", "web", "--image=v1", "--replicas=2"]);
    await rolledOut(2);
  });
  afterEach(() => {
    for (const pid of frozen) thaw(pid);
  });
  afterAll(async () => {
    await store?.close();
    await cluster?.[Symbol.asyncDispose]();
  });

  function freeze(pid: number): void {
    process.kill(pid, "SIGSTOP");
    frozen.add(pid);
  }

  function thaw(pid: number): void {
    frozen.delete(pid);
    process.kill(pid, "SIGCONT");
  }

  const leaseKey = (role: Elected) => `/registry/leases/kube-system/kube-${role}`;

  async function holderOf(role: Elected): Promise<string | undefined> {
    const lease = (await stored(store, leaseKey(role))).get(leaseKey(role));
    return decodeLease(lease!).spec?.holderIdentity;
  }

  async function revision(): Promise<number> {
    return (await store.status()).revision;
  }

  async function changesSince(after: number, prefixes: readonly string[]): Promise<KeyChange[]> {
    const changes = await historyOf(store, "/", { after, through: await revision() });
    return changes.filter(({ key }) => prefixes.some((prefix) => key.startsWith(prefix)));
  }

  /** In words. */
  async function writtenSince(after: number, prefixes: readonly string[]): Promise<string[]> {
    return (await changesSince(after, prefixes)).map(({ revision, type, key }) => `${revision} ${type} ${key}`);
  }

  /** Its process has ended and another was started in its place. */
  async function replaced(instance: string, pid: number): Promise<void> {
    await eventually(async () => expect(pidOf(await cluster.status(), instance)).not.toBe(pid), LIMIT);
    const supervisor = readFileSync(path.join(cluster.dataDir, "keelson.log"), "utf8").split("\n");
    const ends = supervisor.filter((line) => line.includes("process ended") && line.includes(`"${instance}"`));
    expect(ends.at(-1)).toContain("75");
  }

  async function rolledOut(replicas: number): Promise<void> {
    await cluster.kubectl.ok(["rollout", "status", "deployment/web", "--timeout=90s"], { timeoutMs: 100_000 });
    await eventually(async () => {
      const pods = await cluster.kubectl.ok([
        "get",
        "pods",
        "-l",
        "app=web",
        "-o",
        "jsonpath={.items[*].status.phase}",
      ]);
      expect(pods.split(" ")).toEqual(Array(replicas).fill("Running"));
    }, LIMIT);
  }

  /** Nothing about the workload is written any more. */
  async function quiet(): Promise<void> {
    await eventually(async () => {
      const from = await revision();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(await writtenSince(from, WORKLOAD)).toEqual([]);
    }, LIMIT);
  }

  function leadersOf(status: TestClusterStatus): { role: Elected; instance: string; pid: number; other: number }[] {
    return ELECTED.map((role) => {
      const instance = instanceOf(status, `leading ${role}`);
      const other = pidOf(status, instanceOf(status, `other ${role}`));
      return { role, instance, pid: pidOf(status, instance), other };
    });
  }

  test("scheduler and controller-manager, for 20 s in the middle of a scale up: others finish it", async () => {
    const leaders = leadersOf(await healed(cluster));
    const ledger = new PodLedger(await stored(store, PODS));
    const before = await revision();
    const oldHolders = await Promise.all(ELECTED.map(holderOf));
    await cluster.kubectl.ok(["scale", "deployment/web", "--replicas=40"]);
    await eventually(async () => expect((await stored(store, PODS)).size).toBeGreaterThan(5), { intervalMs: 5 });
    const frozenAtMs = performance.now();
    for (const { pid } of leaders) freeze(pid);
    await rolledOut(40);
    await quiet();
    const holders = await Promise.all(ELECTED.map(holderOf));
    for (const [index, holder] of holders.entries()) expect(holder).not.toBe(oldHolders[index]);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, frozenAtMs + FROZEN_MS - performance.now())));

    const woken = await revision();
    for (const { pid } of leaders) thaw(pid);
    for (const { instance, pid } of leaders) await replaced(instance, pid);
    await healed(cluster);
    expect(await writtenSince(woken, WORKLOAD)).toEqual([]);
    for (const [index, role] of ELECTED.entries()) {
      const writers = await eventually(async () => {
        const renewals = await changesSince(woken, [leaseKey(role)]);
        expect(renewals).not.toEqual([]);
        return renewals.map(({ value }) => decodeLease(value).spec?.holderIdentity);
      }, LIMIT);
      expect(new Set(writers)).toEqual(new Set([holders[index]]));
    }
    ledger.apply(await historyOf(store, PODS, { after: before, through: await revision() }));
    expect(ledger.violations).toEqual([]);
    expect(ledger.mostAlive).toBe(40);
    expect(ledger.bound).toBe(38);
  });

  /** The lease goes to somebody who does no work: whatever is written of that work is the old leader's. */
  async function usurp(role: Elected, holderIdentity: string | null): Promise<void> {
    const name = `kube-${role}`;
    const target = `/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/${name}`;
    const { spec } = JSON.parse((await access.request("GET", target)).text) as Lease;
    const body = {
      spec: {
        ...{ holderIdentity, leaseDurationSeconds: holderIdentity === null ? 1 : 3_600 },
        ...{
          leaseTransitions: (spec?.leaseTransitions ?? 0) + 1,
          renewTime: new Date().toISOString().replace("Z", "000Z"),
        },
      },
    };
    const answer = await access.request("PATCH", target, { body });
    expect(answer.status, answer.text).toBe(200);
  }

  function logOf(instance: string): string {
    return readFileSync(path.join(cluster.dataDir, "logs", `${instance}.log`), "utf8");
  }

  const scaleUp = (replicas: number) => cluster.kubectl.ok(["scale", "deployment/web", `--replicas=${replicas}`]);
  const STALE: readonly Stale[] = [
    {
      role: "scheduler",
      work: async () => {
        const pods = Array.from({ length: 60 }, (_, index) => podText(`p-${index}`));
        await cluster.kubectl.ok(["create", "-f", "-"], { input: pods.join("\n---\n") });
      },
      isUndone: async () => expect(await unbound()).toBe(60),
      tried: "a binding failed",
      isDone: async () => expect(await unbound()).toBe(0),
    },
    {
      role: "controller-manager",
      work: () => scaleUp(80),
      isUndone: async () => expect((await stored(store, `${PODS}web-`)).size).toBeLessThanOrEqual(40),
      isDone: () => rolledOut(80),
    },
  ];
  for (const { role, work, isUndone, tried, isDone } of STALE) {
    test(`a ${role} that wakes with much to do when its lease is another's writes none of it, and ends`, async () => {
      const { pid, instance, other } = leadersOf(await healed(cluster)).find((one) => one.role === role)!;
      await quiet();
      freeze(other);
      freeze(pid);
      try {
        await work();
        await usurp(role, "somebody else");
        await isUndone();
        const woken = await revision();
        const logBytes = logOf(instance).length;
        thaw(pid);
        await replaced(instance, pid);
        expect(await writtenSince(woken, [...WORKLOAD, leaseKey(role)])).toEqual([]);
        if (tried !== undefined) expect(logOf(instance).slice(logBytes)).toContain(tried);
        await isUndone();
      } finally {
        await usurp(role, null);
        thaw(other);
      }
      await eventually(isDone, LIMIT);
      await healed(cluster);
    });
  }

  async function unbound(): Promise<number> {
    const nodes = await cluster.kubectl.ok(["get", "pods", "-o", "jsonpath={range .items[*]}{.spec.nodeName},{end}"]);
    return nodes
      .split(",")
      .slice(0, -1)
      .filter((node) => node === "").length;
  }
});

/** What a leader is given to do while it is frozen. */
interface Stale {
  readonly role: Elected;
  readonly work: () => Promise<unknown>;
  readonly isUndone: () => Promise<void>;
  /** What it logs when it is refused, if it does. */
  readonly tried?: string;
  readonly isDone: () => Promise<void>;
}

function podText(name: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [{ name: "c", image: "i" }] },
  });
}
