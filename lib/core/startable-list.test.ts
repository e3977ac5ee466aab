import { expect, test } from "vitest";
import type { Startable } from "./startable.ts";
import { StartableList } from "./startable-list.ts";

function recorder() {
  const calls: string[] = [];
  const part = (name: string, start: () => Promise<void> = async () => {}): Startable => ({
    start() {
      calls.push(`start ${name}`);
      return start();
    },
    async stop() {
      calls.push(`stop ${name}`);
    },
  });
  return { calls, part };
}

test("parts start in order and stop in the opposite one", async () => {
  const { calls, part } = recorder();
  const list = new StartableList([part("a"), part("b")]);
  await list.start();
  await list.stop();
  expect(calls).toEqual(["start a", "start b", "stop b", "stop a"]);
});

test("one that cannot start has those before it stopped", async () => {
  const { calls, part } = recorder();
  const broken = part("b", () => Promise.reject(new Error("no")));
  await expect(new StartableList([part("a"), broken, part("c")]).start()).rejects.toThrow("no");
  expect(calls).toEqual(["start a", "start b", "stop a"]);
});

test("a stop during the start stops what has begun and begins nothing more", async () => {
  const { calls, part } = recorder();
  const gate = Promise.withResolvers<void>();
  const list = new StartableList([part("a"), part("b", () => gate.promise), part("c")]);
  const started = list.start();
  await Promise.resolve();
  await list.stop();
  gate.resolve();
  await started;
  expect(calls).toEqual(["start a", "start b", "stop b", "stop a"]);
});
