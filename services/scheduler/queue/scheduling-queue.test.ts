import { expect, test } from "vitest";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { podInfoOf } from "../nodes/pod-info.ts";
import { FILTERS } from "../plugins/filters.ts";
import { SchedulingQueue } from "./scheduling-queue.ts";

function open() {
  const clock = new VirtualClock();
  const queue = new SchedulingQueue({ clock }, { filters: FILTERS });
  return { clock, queue };
}

const pod = (name: string, priority = 0) =>
  podInfoOf({ metadata: { name, namespace: "x", uid: name }, spec: { priority, containers: [{ name: "c" }] } });
const FIT = new Set(["NodeResourcesFit"]);

async function takeNow(queue: SchedulingQueue) {
  if (queue.counts().active === 0) throw new Error("nothing is active");
  const taken = await queue.take();
  if (taken === undefined) throw new Error("the queue is closed");
  return taken;
}

test("higher priority first, then first come", async () => {
  const { queue } = open();
  for (const [name, priority] of [
    ["a", 0],
    ["b", 5],
    ["c", 0],
    ["d", 5],
  ] as const)
    queue.put(pod(name, priority));
  const order: string[] = [];
  for (let i = 0; i < 4; i++) order.push((await takeNow(queue)).key);
  expect(order).toEqual(["x/b", "x/d", "x/a", "x/c"]);
});

test("only an event that concerns a filter that refused wakes a pod", async () => {
  const { clock, queue } = open();
  queue.put(pod("a"));
  queue.failed(await takeNow(queue), FIT);
  await clock.advance(2_000);
  queue.wake("node-taints");
  expect(queue.placeOf("x/a")).toBe("unschedulable");
  queue.wake("pod-freed");
  expect(queue.placeOf("x/a")).toBe("active");
});

test("invariant 42: an event during the attempt is not lost", async () => {
  const { clock, queue } = open();
  queue.put(pod("a"));
  const taken = await takeNow(queue);
  queue.wake("pod-freed");
  queue.failed(taken, FIT);
  expect(queue.placeOf("x/a")).toBe("backing-off");
  await clock.advance(1_000);
  expect(queue.placeOf("x/a")).toBe("active");
});

test("back-off doubles from 1 s to 10 s, and an event does not cut it short", async () => {
  const { clock, queue } = open();
  queue.put(pod("a"));
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    queue.failed(await takeNow(queue), FIT);
    queue.wake("pod-freed");
    const sinceMs = clock.monotonicMs();
    await clock.advanceUntil(() => queue.counts().active === 1);
    waits.push(clock.monotonicMs() - sinceMs);
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
});

test("invariant 42: without any event a pod is tried again within 60 s", async () => {
  const { clock, queue } = open();
  queue.put(pod("a"));
  queue.failed(await takeNow(queue), FIT);
  await clock.advance(60_000);
  const again = await takeNow(queue);
  expect(again.byTime).toBe(true);
});

test("a changed pod is tried at once; a removed one is forgotten, also while it is tried", async () => {
  const { clock, queue } = open();
  queue.put(pod("a"));
  queue.failed(await takeNow(queue), FIT);
  queue.put(pod("a", 7));
  expect((await takeNow(queue)).info.priority).toBe(7);
  queue.remove("x/a");
  queue.put(pod("b"));
  const taken = await takeNow(queue);
  queue.remove("x/b");
  queue.failed(taken, FIT);
  expect(queue.placeOf("x/b")).toBeUndefined();
  queue.close();
  expect(await queue.take()).toBeUndefined();
  expect(clock.pendingTimers).toBe(0);
});
