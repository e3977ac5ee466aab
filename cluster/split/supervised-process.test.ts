import { expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import { type StartedProcess, SupervisedProcess } from "./supervised-process.ts";

/** Processes that end when the test says so; `deaf` ones only by SIGKILL. */
class StandIn {
  readonly started: { process: StartedProcess; end: (reason: string) => void; signals: string[] }[] = [];
  deaf = false;

  readonly start = (): StartedProcess => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const signals: string[] = [];
    const process: StartedProcess = {
      pid: this.started.length + 100,
      ended: promise,
      signal: (name) => {
        signals.push(name);
        if (name === "SIGKILL" || !this.deaf) resolve(name);
      },
    };
    this.started.push({ process, end: resolve, signals });
    return process;
  };
}

function fixture() {
  const clock = new VirtualClock();
  const standIn = new StandIn();
  const components = { clock, random: new SeededRandom(1), log: silentLog, start: standIn.start };
  const supervised = new SupervisedProcess(components, { name: "one", argv: ["one"] });
  supervised.start();
  return { clock, standIn, supervised };
}

test("a process that ends is started again, and has no pid in between", async () => {
  const { clock, standIn, supervised } = fixture();
  expect(supervised.pid).toBe(100);
  standIn.started[0]!.end("SIGKILL");
  await clock.advance(0);
  expect(supervised.pid).toBeUndefined();
  await clock.advance(250);
  expect(supervised.pid).toBe(101);
  await supervised.stop();
});

test("one that ends at once waits longer each time, up to a bound, until it has run well", async () => {
  const { clock, standIn, supervised } = fixture();
  const delaysMs: number[] = [];
  for (let i = 0; i < 10; i++) {
    const endedMs = clock.monotonicMs();
    standIn.started.at(-1)!.end("exit status 1");
    const count = standIn.started.length;
    await clock.advanceUntil(() => standIn.started.length > count);
    delaysMs.push(clock.monotonicMs() - endedMs);
  }
  expect(delaysMs[0]).toBeLessThanOrEqual(250);
  expect(delaysMs[3]).toBeGreaterThan(1_500);
  expect(Math.max(...delaysMs)).toBeLessThanOrEqual(10_000);
  expect(delaysMs.at(-1)).toBeGreaterThan(7_000);
  expect(supervised.failures).toBe(10);
  await clock.advance(10_000);
  standIn.started.at(-1)!.end("SIGKILL");
  await clock.advance(250);
  expect(standIn.started).toHaveLength(12);
  await supervised.stop();
});

test("stop ends it for good, by force when it does not listen", async () => {
  const { clock, standIn, supervised } = fixture();
  standIn.deaf = true;
  const stopped = supervised.stop();
  await clock.advance(3_499);
  expect(standIn.started[0]!.signals).toEqual(["SIGTERM"]);
  await clock.advance(1);
  await stopped;
  expect(standIn.started[0]!.signals).toEqual(["SIGTERM", "SIGKILL"]);
  await clock.advance(60_000);
  expect(standIn.started).toHaveLength(1);
  expect(clock.pendingTimers).toBe(0);
});

test("stop while it waits to be started again starts nothing", async () => {
  const { clock, standIn, supervised } = fixture();
  standIn.started[0]!.end("SIGKILL");
  await clock.advance(1);
  await supervised.stop();
  await clock.advance(60_000);
  expect(standIn.started).toHaveLength(1);
  expect(clock.pendingTimers).toBe(0);
});
