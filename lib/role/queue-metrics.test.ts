import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { WorkQueue } from "../controller/work-queue.ts";
import { SeededRandom } from "../core/seeded-random.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { queueMetrics } from "./queue-metrics.ts";

test("a work queue is measured under upstream's names", async () => {
  const clock = new VirtualClock();
  const registry = new Registry();
  const metrics = queueMetrics(registry, clock);
  const queue = new WorkQueue({ clock, random: new SeededRandom(1) }, { name: "q", metrics });
  const value = async (sample: string) => {
    const line = (await registry.metrics()).split("\n").find((one) => one.startsWith(`${sample}{`));
    return Number(line?.split(" ").at(-1));
  };
  for (const key of ["a", "b", "c"]) queue.add(key);
  await clock.advance(2_000);
  await queue.take();
  await clock.advance(1_000);
  await queue.take();
  await clock.advance(3_000);
  expect(await value("workqueue_adds_total")).toBe(3);
  expect(await value("workqueue_queue_duration_seconds_sum")).toBe(2 + 3);
  expect(await value("workqueue_unfinished_work_seconds")).toBe(4 + 3);
  expect(await value("workqueue_longest_running_processor_seconds")).toBe(4);
  queue.done("a");
  queue.retry("a");
  expect(await value("workqueue_work_duration_seconds_sum")).toBe(4);
  expect(await value("workqueue_retries_total")).toBe(1);
  expect(await value("workqueue_longest_running_processor_seconds")).toBe(3);
  expect(await value("workqueue_unfinished_work_seconds")).toBe(3);
  queue.close();
});
