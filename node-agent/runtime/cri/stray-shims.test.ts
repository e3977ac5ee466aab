import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../lib/core/log.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { StrayShims } from "./stray-shims.ts";

const socketPath = `/nowhere/${process.pid}.sock`;
const started: ChildProcess[] = [];
let clock: VirtualClock;
let strays: StrayShims;
beforeEach(() => {
  clock = new VirtualClock();
  strays = new StrayShims({ clock, log: silentLog }, { socketPath });
});
afterEach(() => {
  for (const { pid } of started.splice(0)) {
    try {
      // The whole group: its child too.
      process.kill(-pid!, "SIGKILL");
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("ESRCH");
    }
  }
});

/** A process that looks like a shim, with a child of its own that prints when it is there. */
async function shim(id: string, address = socketPath): Promise<ChildProcess> {
  const argv = [
    "-c",
    "sh -c 'echo up; exec sleep 600' & wait",
    "shim",
    "-namespace",
    "k8s.io",
    "-id",
    id,
    "-address",
    address,
  ];
  const child = spawn("sh", argv, {
    argv0: "containerd-shim-runc-v2",
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  started.push(child);
  await once(child.stdout!, "data");
  return child;
}

const isAlive = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

test("a shim of no known sandbox is ended with what it holds, the second time it is seen", async () => {
  const [stray, known, other] = [await shim("stray"), await shim("known"), await shim("x", "/another.sock")];
  const ended = once(stray, "close");
  await clock.advance(15_000);
  strays.sweep(new Set(["known"]), false);
  expect(isAlive(stray)).toBe(true);
  strays.sweep(new Set(["known"]), false);
  expect(isAlive(stray)).toBe(true);
  await clock.advance(15_000);
  strays.sweep(new Set(["known"]), false);
  // `close` comes when the child has let go of the pipe too.
  await ended;
  expect([isAlive(known), isAlive(other)]).toEqual([true, true]);
});

test("while a sandbox is being made nothing is a stray, and what was suspect is not any more", async () => {
  const child = await shim("young");
  await clock.advance(15_000);
  strays.sweep(new Set(), false);
  await clock.advance(15_000);
  strays.sweep(new Set(), true);
  strays.sweep(new Set(), false);
  await clock.advance(1_000);
  expect(isAlive(child)).toBe(true);
});
