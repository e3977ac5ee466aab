import { expect, test } from "vitest";
import { busSuite } from "./bus.suite.ts";
import { MemoryBus } from "./memory-bus.ts";

busSuite("memory", {
  async open() {
    const bus = new MemoryBus();
    await bus.start();
    return { bus, other: bus, close: () => bus.stop() };
  },
});

test("a buffer that is full is emptied as one gap, and newer messages are heard", async () => {
  const bus = new MemoryBus({ bufferLimit: 10 });
  await bus.start();
  const heard: string[] = [];
  const handler = {
    message: (subject: string) => void heard.push(subject),
    gap: (why: string) => void heard.push(why),
  };
  await bus.subscribe(">", handler, new AbortController().signal);
  for (let i = 0; i < 15; i++) bus.publish(`n${i}`, new Uint8Array());
  await Promise.resolve();
  expect(heard).toEqual(["overflow", "n10", "n11", "n12", "n13", "n14"]);
});
