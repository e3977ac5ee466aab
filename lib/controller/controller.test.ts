import { expect, test } from "vitest";
import { silentLog } from "../core/log.ts";
import { SeededRandom } from "../core/seeded-random.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { Controller } from "./controller.ts";

function components() {
  return { clock: new VirtualClock(), random: new SeededRandom(3), log: silentLog };
}

test("a failing key comes back until it succeeds, others go on meanwhile", async () => {
  const parts = components();
  const tries: string[] = [];
  const controller = new Controller(parts, { name: "c" }, async (key) => {
    tries.push(key);
    if (key === "bad" && tries.filter((name) => name === "bad").length < 3) throw new Error("not yet");
    return undefined;
  });
  await controller.start();
  controller.queue.add("bad");
  controller.queue.add("good");
  await parts.clock.advance(1_000);
  expect(tries).toEqual(["bad", "good", "bad", "bad"]);
  expect(controller.queue.failuresOf("bad")).toBe(0);
  await controller.stop();
  expect(parts.clock.pendingTimers).toBe(0);
});

test("a reconcile that asks for later is called again then", async () => {
  const parts = components();
  const at: number[] = [];
  const controller = new Controller(parts, { name: "c" }, async () => {
    at.push(parts.clock.monotonicMs());
    return at.length < 3 ? { afterMs: 1_000 } : undefined;
  });
  await controller.start();
  controller.queue.add("a");
  await parts.clock.advance(10_000);
  expect(at).toEqual([0, 1_000, 2_000]);
  await controller.stop();
});

test("nothing is worked on before the caches are synced, nor when they never are", async () => {
  const parts = components();
  const gate = Promise.withResolvers<void>();
  const worked: string[] = [];
  const controller = new Controller(parts, { name: "c", whenSynced: () => gate.promise }, async (key) => {
    worked.push(key);
    return undefined;
  });
  await controller.start();
  controller.queue.add("a");
  await parts.clock.advance(1_000);
  expect(worked).toEqual([]);
  gate.resolve();
  await parts.clock.advance(1);
  expect(worked).toEqual(["a"]);
  await controller.stop();
});

test("stop waits for the reconcile that runs and aborts its signal", async () => {
  const parts = components();
  let ended = false;
  const controller = new Controller(parts, { name: "c" }, async (_key, signal) => {
    await parts.clock.sleep(60_000, signal).catch(() => {});
    ended = true;
    return undefined;
  });
  await controller.start();
  controller.queue.add("a");
  await parts.clock.advance(1);
  await controller.stop();
  expect(ended).toBe(true);
});
