import { afterEach, expect, test } from "vitest";
import { MemoryApi } from "../client/testkit/memory-api.ts";
import { silentLog } from "../core/log.ts";
import { SeededRandom } from "../core/seeded-random.ts";
import { forbidden, serviceUnavailable } from "../core/status-error.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { Pod } from "../gen/k8s/core/v1.ts";
import { coreEvents } from "../gen/k8s/resources.ts";
import { EventRecorder } from "./event-recorder.ts";

const open: EventRecorder[] = [];
afterEach(async () => {
  for (const recorder of open.splice(0)) await recorder.stop();
});

async function world() {
  const clock = new VirtualClock();
  const api = new MemoryApi({ clock, random: new SeededRandom(4) });
  const recorder = new EventRecorder({ api, clock, log: silentLog }, { component: "tester", host: "h" });
  open.push(recorder);
  await recorder.start();
  const events = async () => (await api.list(coreEvents)).items;
  return { clock, api, recorder, events };
}

const pod = (name: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "x", uid: `uid-${name}`, resourceVersion: "7" },
});

test("an event has what kubectl describe shows", async () => {
  const { clock, recorder, events } = await world();
  recorder.record(pod("p"), "Normal", "Started", "It started");
  await clock.advance(1);
  expect(await events()).toMatchObject([
    {
      metadata: { namespace: "x", name: expect.stringMatching(/^p\.[0-9a-f]+$/) },
      involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "x", name: "p", uid: "uid-p", resourceVersion: "7" },
      type: "Normal",
      reason: "Started",
      message: "It started",
      count: 1,
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:00:00Z",
      source: { component: "tester", host: "h" },
    },
  ]);
});

test("the same again raises the count and moves the last time; what was deleted meanwhile is made anew", async () => {
  const { clock, api, recorder, events } = await world();
  for (let i = 0; i < 3; i++) {
    recorder.record(pod("p"), "Warning", "BackOff", "again");
    await clock.advance(60_000);
  }
  expect(await events()).toMatchObject([
    { count: 3, firstTimestamp: "2026-01-01T00:00:00Z", lastTimestamp: "2026-01-01T00:02:00Z" },
  ]);
  for (const { metadata } of await events())
    await api.delete(coreEvents, { namespace: "x", name: metadata?.name ?? "" });
  recorder.record(pod("p"), "Warning", "BackOff", "again");
  await clock.advance(1);
  expect(await events()).toMatchObject([{ count: 1 }]);
});

test("many alike are combined, and an object that will not stop is throttled", async () => {
  const { clock, recorder, events } = await world();
  for (let i = 0; i < 40; i++) recorder.record(pod("p"), "Warning", "Failed", `number ${i}`);
  recorder.record(pod("q"), "Normal", "Fine", "another object is heard");
  await clock.advance(1);
  const all = await events();
  expect(all).toHaveLength(12);
  const combined = all.find((event) => event.message?.startsWith("(combined from similar events): "));
  expect(combined?.count).toBe(15);
  expect(recorder.dropped).toBe(15);
  await clock.advance(300_000);
  recorder.record(pod("p"), "Warning", "Other", "after a while it is heard again");
  await clock.advance(1);
  expect(await events()).toHaveLength(13);
});

test("an API that is away delays events; one that refuses drops them", async () => {
  const { clock, api, recorder, events } = await world();
  let failures = 3;
  api.before = (request) => {
    if (request.verb === "create" && failures-- > 0) throw serviceUnavailable("away");
  };
  recorder.record(pod("p"), "Normal", "A", "first");
  recorder.record(pod("p"), "Normal", "B", "second");
  await clock.advance(60_000);
  expect((await events()).map((event) => event.reason)).toEqual(["A", "B"]);
  api.before = () => {
    throw forbidden({ group: "", resource: "events" }, "", "the namespace is being terminated");
  };
  recorder.record(pod("p"), "Normal", "C", "third");
  await clock.advance(1);
  expect(recorder.dropped).toBe(1);
});

test("stop tries what is pending once and leaves no timer", async () => {
  const { clock, api, recorder, events } = await world();
  recorder.record(pod("p"), "Normal", "A", "last words");
  await recorder.stop();
  expect(await events()).toHaveLength(1);
  api.before = () => {
    throw serviceUnavailable("away");
  };
  expect(clock.pendingTimers).toBe(0);
});
