import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryApi } from "../../lib/client/testkit/memory-api.ts";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { serviceUnavailable } from "../../lib/core/status-error.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { nodes, pods } from "../../lib/gen/k8s/resources.ts";
import { amountOf } from "./nodes/pod-requests.ts";
import { Scheduler } from "./scheduler.ts";

const NODE_MILLI = 2_000;

const step = fc.record({
  kind: fc.constantFrom(
    "pod",
    "pod",
    "pod",
    "end",
    "delete",
    "node",
    "cordon",
    "fail",
    "lose",
    "drop",
    "restart",
    "wait",
  ),
  amount: fc.integer({ min: 1, max: 9 }),
});

function milliOf(pod: Pod): number {
  return amountOf("cpu", pod.spec?.containers?.[0]?.resources?.requests?.["cpu"] ?? "0");
}

test("invariants 40 and 42: under failed and unknown bindings, dropped watches and changes of leader no node is over-committed, and in the end no pod waits that fits", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer(), async (steps, seed) => {
      const clock = new VirtualClock();
      const random = new SeededRandom(seed);
      const api = new MemoryApi({ clock, random });
      const faults = { fail: 0, lose: 0 };
      const usedMilli = async (name: string) =>
        (await api.list(pods)).items
          .filter((pod) => pod.spec?.nodeName === name && pod.status?.phase !== "Succeeded")
          .reduce((sum, pod) => sum + milliOf(pod), 0);
      let overcommitted = 0;
      api.before = (request) => {
        if (request.subresource === "binding" && faults.fail-- > 0) throw serviceUnavailable("down");
      };
      api.after = async (request) => {
        if (request.subresource !== "binding") return;
        const { spec } = await api.get(pods, { namespace: "x", name: request.key.slice(2) });
        if ((await usedMilli(spec?.nodeName ?? "")) > NODE_MILLI) overcommitted++;
        if (faults.lose-- > 0) throw serviceUnavailable("lost");
      };
      let serial = 0;
      const open = async () => {
        const made = new Scheduler({ api, clock, random, log: silentLog }, { identity: `s${serial++}` });
        await made.start();
        return made;
      };
      let [first, second] = [await open(), await open()];
      await api.create(nodes, {
        metadata: { name: "n0" },
        status: { allocatable: { cpu: `${NODE_MILLI}m`, memory: "8Gi", pods: "99" } },
      });
      let nodeCount = 1;
      for (const { kind, amount } of steps) {
        const all = (await api.list(pods)).items;
        const name = all[amount % Math.max(1, all.length)]?.metadata?.name;
        if (kind === "pod") {
          const requests = { cpu: `${amount * 100}m` };
          const spec = { containers: [{ name: "c", resources: { requests } }] };
          await api.create(pods, { metadata: { name: `p${serial++}`, namespace: "x" }, spec });
        } else if (kind === "end" && name !== undefined) {
          const body = { status: { phase: "Succeeded" } };
          await api.patch(pods, { namespace: "x", name }, { type: "merge", body }, { subresource: "status" });
        } else if (kind === "delete" && name !== undefined) {
          await api.delete(pods, { namespace: "x", name }, { gracePeriodSeconds: 0 });
        } else if (kind === "node" && nodeCount < 4) {
          const status = { allocatable: { cpu: `${NODE_MILLI}m`, memory: "8Gi", pods: "99" } };
          await api.create(nodes, { metadata: { name: `n${nodeCount++}` }, status });
        } else if (kind === "cordon") {
          const body = { spec: { unschedulable: amount % 2 === 0 } };
          await api.patch(nodes, { name: `n${amount % nodeCount}` }, { type: "merge", body });
        } else if (kind === "fail") faults.fail = amount;
        else if (kind === "lose") faults.lose = amount;
        else if (kind === "drop") api.dropWatches(serviceUnavailable("dropped"));
        else if (kind === "restart") {
          await first.stop();
          [first, second] = [second, await open()];
        } else if (kind === "wait") await clock.advance(amount * 500);
      }
      faults.fail = 0;
      faults.lose = 0;
      for (let index = 0; index < nodeCount; index++)
        await api.patch(nodes, { name: `n${index}` }, { type: "merge", body: { spec: { unschedulable: null } } });
      await clock.advance(60_000);
      expect(overcommitted).toBe(0);
      const freeMilli = await Promise.all(
        Array.from({ length: nodeCount }, async (_, index) => NODE_MILLI - (await usedMilli(`n${index}`))),
      );
      const waiting = (await api.list(pods)).items.filter(
        (pod) => pod.spec?.nodeName === undefined && pod.status?.phase !== "Succeeded",
      );
      expect(waiting.filter((pod) => milliOf(pod) <= Math.max(...freeMilli))).toEqual([]);
      await Promise.all([first.stop(), second.stop()]);
      expect(clock.pendingTimers).toBe(0);
      expect(api.openWatches).toBe(0);
    }),
    { numRuns: 60 },
  );
});
