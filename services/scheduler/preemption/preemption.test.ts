import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { MemoryApi } from "../../../lib/client/testkit/memory-api.ts";
import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import type { Node, Pod, PodSpec } from "../../../lib/gen/k8s/core/v1.ts";
import { coreEvents, nodes, podDisruptionBudgets, pods } from "../../../lib/gen/k8s/resources.ts";
import { NodeTable } from "../nodes/node-table.ts";
import { type PodInfo, podInfoOf } from "../nodes/pod-info.ts";
import { Placer } from "../placement.ts";
import { FILTERS } from "../plugins/filters.ts";
import { SCORES } from "../plugins/scores.ts";
import { Scheduler } from "../scheduler.ts";
import { Preemptor } from "./preemptor.ts";

const running: Scheduler[] = [];
afterEach(async () => {
  for (const scheduler of running.splice(0)) await scheduler.stop();
});

async function world() {
  const clock = new VirtualClock();
  const random = new SeededRandom(3);
  const api = new MemoryApi({ clock, random });
  const make = async () => {
    const scheduler = new Scheduler({ api, clock, random, log: silentLog }, { identity: "s", leaderElect: false });
    running.push(scheduler);
    await scheduler.start();
    return scheduler;
  };
  await make();
  return { clock, api, make };
}

const node = (name: string, cpu: string): Node => ({
  metadata: { name },
  status: { allocatable: { cpu, memory: "8Gi", pods: "20" } },
});
const pod = (name: string, cpu: string, priority: number, spec: PodSpec = {}): Pod => ({
  metadata: { name, namespace: "x", labels: { app: name } },
  spec: { priority, containers: [{ name: "c", resources: { requests: { cpu } } }], ...spec },
});
const key = (name: string) => ({ namespace: "x", name });

async function state(api: MemoryApi) {
  const { items } = await api.list(pods);
  return Object.fromEntries(
    items.map(({ metadata, spec }) => [
      metadata?.name,
      `${spec?.nodeName ?? "-"}${metadata?.deletionTimestamp === undefined ? "" : " dying"}`,
    ]),
  );
}

test("a more important pod makes as few and as unimportant ones leave as it needs, waits for them, and takes their place", async () => {
  const { api, clock } = await world();
  await api.create(nodes, node("n", "4"));
  for (const [name, priority] of [
    ["low-1", 1],
    ["low-2", 1],
    ["mid", 5],
    ["equal", 10],
  ] as const)
    await api.create(pods, pod(name, "1", priority));
  await clock.advance(100);
  await api.create(pods, pod("vip", "2", 10));
  await clock.advance(100);
  expect(await state(api)).toEqual({ equal: "n", mid: "n", "low-1": "n dying", "low-2": "n dying", vip: "-" });
  const waiting = await api.get(pods, key("vip"));
  expect(waiting.status?.nominatedNodeName).toBe("n");
  const victim = await api.get(pods, key("low-1"));
  expect(victim.status?.conditions?.find((condition) => condition.type === "DisruptionTarget")).toMatchObject({
    status: "True",
    reason: "PreemptionByScheduler",
  });
  const told = (await api.list(coreEvents)).items.filter((event) => event.reason === "Preempted");
  expect(told.map((event) => event.message)).toContain(`Preempted by pod ${waiting.metadata?.uid} on node n`);
  await clock.advance(20_000);
  expect(await state(api)).toMatchObject({ mid: "n", equal: "n", vip: "-" });
  for (const name of ["low-1", "low-2"]) await api.delete(pods, key(name), { gracePeriodSeconds: 0 });
  await clock.advance(15_000);
  expect(await state(api)).toEqual({ equal: "n", mid: "n", vip: "n" });
});

test("what was made free for one is not taken by another that is not more important, also after a restart", async () => {
  const { api, clock, make } = await world();
  await api.create(nodes, node("n", "2"));
  await api.create(pods, pod("low", "2", 0));
  await clock.advance(100);
  await api.create(pods, pod("vip", "2", 10));
  await clock.advance(100);
  await running.pop()?.stop();
  await api.create(pods, pod("thief", "1", 10));
  await make();
  await clock.advance(10_000);
  await api.delete(pods, key("low"), { gracePeriodSeconds: 0 });
  await clock.advance(30_000);
  expect(await state(api)).toEqual({ vip: "n", thief: "-" });
});

test("the place of one who is deleted while waiting goes to the next", async () => {
  const { api, clock } = await world();
  await api.create(nodes, node("n", "2"));
  await api.create(pods, pod("low", "2", 0));
  await clock.advance(100);
  const vip = pod("vip", "2", 10);
  await api.create(pods, { ...vip, metadata: { ...vip.metadata, finalizers: ["hold"] } });
  await api.create(pods, pod("next", "1", 10));
  await clock.advance(5_000);
  await api.delete(pods, key("vip"));
  await api.delete(pods, key("low"), { gracePeriodSeconds: 0 });
  await clock.advance(15_000);
  expect(await state(api)).toEqual({ vip: "- dying", next: "n" });
});

test("nobody leaves for a pod that asks not to preempt, or where it would not help", async () => {
  const { api, clock } = await world();
  await api.create(nodes, node("n", "2"));
  await api.create(pods, pod("low", "2", 0));
  await clock.advance(100);
  await api.create(pods, pod("polite", "1", 10, { preemptionPolicy: "Never" }));
  await api.create(pods, pod("huge", "3", 10));
  await api.create(pods, pod("elsewhere", "1", 10, { nodeSelector: { no: "where" } }));
  await clock.advance(20_000);
  expect(await state(api)).toMatchObject({ low: "n" });
  const texts = (await api.list(coreEvents)).items.map((event) => event.message);
  expect(texts).toContain(
    "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.",
  );
  expect(texts).toContain(
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
  );
});

test("a node whose budgets allow it is preferred; a budget gives way where there is no other", async () => {
  const { api, clock } = await world();
  for (const name of ["a", "b"]) await api.create(nodes, node(name, "1"));
  await api.create(podDisruptionBudgets, {
    metadata: { name: "guard", namespace: "x" },
    spec: { selector: { matchLabels: { app: "guarded" } } },
    status: {},
  });
  await api.create(pods, pod("guarded", "1", 0, { nodeName: "a" }));
  await api.create(pods, pod("free", "1", 5, { nodeName: "b" }));
  await clock.advance(100);
  await api.create(pods, pod("vip", "1", 10));
  await clock.advance(100);
  expect(await state(api)).toMatchObject({ guarded: "a", free: "b dying" });
  await api.create(pods, pod("vip-2", "1", 10));
  await clock.advance(100);
  expect(await state(api)).toMatchObject({ guarded: "a dying" });
});

test("invariant 41: victims are always less important, the pod fits without them, none could stay, and planning leaves no trace", () => {
  const amounts = fc.record({ cpu: fc.integer({ min: 100, max: 900 }), priority: fc.integer({ min: 0, max: 4 }) });
  fc.assert(
    fc.property(fc.array(amounts, { maxLength: 12 }), amounts, fc.integer(), (others, wanted, seed) => {
      const table = new NodeTable();
      const random = new SeededRandom(seed);
      const placer = new Placer({ table, random }, { filters: FILTERS, scores: SCORES });
      for (const name of ["a", "b"]) table.setNode(node(name, "2"));
      const infoOf = (name: string, { cpu, priority }: { cpu: number; priority: number }): PodInfo => {
        const made = pod(name, `${cpu}m`, priority);
        return podInfoOf({ ...made, metadata: { ...made.metadata, uid: name } });
      };
      others.forEach((amount, index) => {
        const info = infoOf(`p${index}`, amount);
        const { node: chosen } = placer.place(info);
        if (chosen !== undefined) table.addPod(info, chosen);
      });
      const vip = infoOf("vip", wanted);
      const snapshot = () =>
        JSON.stringify(
          table.nodes().map(({ row, pods: here }) => [table.columns.cpu.requested[row], [...here.keys()].sort()]),
        );
      const before = snapshot();
      if (placer.place(vip).node !== undefined) return;
      const plan = new Preemptor({ table, placer, random }).plan(vip, []);
      expect(snapshot()).toBe(before);
      if (plan.node === undefined) return;
      const entry = table.get(plan.node)!;
      expect(plan.victims.every((victim) => victim.priority < vip.priority)).toBe(true);
      for (const victim of plan.victims) table.removePod(victim.uid);
      expect(placer.fits(vip, entry)).toBe(true);
      for (const victim of plan.victims) {
        table.addPod(victim, plan.node);
        expect(placer.fits(vip, entry)).toBe(false);
        table.removePod(victim.uid);
      }
    }),
    { numRuns: 300 },
  );
});
