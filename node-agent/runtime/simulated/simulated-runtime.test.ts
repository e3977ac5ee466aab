import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { runtimeSuite } from "../runtime.suite.ts";
import { BEHAVIOUR_ANNOTATION, type Behaviour } from "./behaviour.ts";
import { PodAddresses } from "./pod-addresses.ts";
import { SimulatedRuntime } from "./simulated-runtime.ts";
import { SimulatedState } from "./simulated-state.ts";

const ROLES: Record<string, Behaviour> = {
  obedient: {},
  stubborn: { ignoresTerm: true },
  prints: { log: ["hello", "world"], runMs: 50, exitCode: 3 },
};
const IMAGE = "example/web:1";

runtimeSuite("simulated", async () => {
  const clock = new VirtualClock();
  const dir = mkdtempSync(join(tmpdir(), "keelson-simulated-"));
  const make = () => {
    const options = {
      podCidr: "10.1.0.0/24",
      state: new SimulatedState(dir),
      hasImage: (name: string) => name === IMAGE,
    };
    return new SimulatedRuntime({ clock, random: new SeededRandom(3) }, options);
  };
  const runtime = make();
  await runtime.start();
  const pulling = runtime.pullImage(IMAGE, undefined, new AbortController().signal);
  await clock.advance(0);
  await pulling;
  // Virtual time moves also while the suite waits for a call.
  const stopTicking = tick(clock);
  return {
    runtime,
    image: IMAGE,
    missingImage: "example/none:1",
    logDirectory: "/nowhere",
    play: (name, role) => ({
      annotations: { [BEHAVIOUR_ANNOTATION]: JSON.stringify({ [name]: ROLES[role] }) },
      command: [],
    }),
    async until(condition) {
      while (!(await condition())) await clock.advance(10);
    },
    elapsedMs: () => clock.monotonicMs(),
    async reopen() {
      await runtime.stop();
      const other = make();
      await other.start();
      return other;
    },
    async stop() {
      stopTicking();
      await runtime.stop();
      expect(clock.pendingTimers).toBe(0);
      rmSync(dir, { recursive: true });
    },
  };
});

function tick(clock: VirtualClock): () => void {
  let isOver = false;
  const next = (): void => {
    if (isOver) return;
    void clock.advance(1).then(() => setImmediate(next));
  };
  next();
  return () => {
    isOver = true;
  };
}

test("addresses are handed out once and come back; the network's own are never given", () => {
  const addresses = new PodAddresses("10.0.0.0/29");
  const given = Array.from({ length: 5 }, () => addresses.next());
  expect(given).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  expect(() => addresses.next()).toThrow("used up");
  addresses.free("10.0.0.4");
  expect(addresses.next()).toBe("10.0.0.4");
});
