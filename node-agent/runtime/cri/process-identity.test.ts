import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { findProcesses, isRunning, processIdentity, signalProcess } from "./process-identity.ts";

test("a process is told from one that has its number later, and from none", async () => {
  const child = spawn("sleep", ["60"]);
  const identity = processIdentity(child.pid!);
  expect(isRunning(identity)).toBe(true);
  expect(isRunning({ ...identity, startTicks: "1" })).toBe(false);
  signalProcess({ ...identity, startTicks: "1" }, "SIGKILL");
  expect(isRunning(identity)).toBe(true);
  signalProcess(identity, "SIGTERM");
  await once(child, "exit");
  expect(isRunning(identity)).toBe(false);
  signalProcess(identity, "SIGKILL");
  expect(isRunning(processIdentity(2 ** 22 + 1))).toBe(false);
});

test("a process is found by its command line", async () => {
  const mark = `60.${process.pid}`;
  const child = spawn("sleep", [mark]);
  const found = () => findProcesses((argv) => argv[1] === mark);
  await expect.poll(found).toEqual([processIdentity(child.pid!)]);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(found()).toEqual([]);
});
