import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import {
  bootId,
  findProcesses,
  isRunning,
  processIdentity,
  sessionMembers,
  signalProcess,
} from "./process-identity.ts";

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

test("members of a session are found when its leader is gone; who left it is none", async () => {
  const script = 'sleep 60 & setsid sleep 60 & echo "$! "; wait';
  const leader = spawn("sh", ["-c", script], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
  const exit = once(leader, "exit");
  const [line] = (await once(leader.stdout!, "data")) as [Buffer];
  const left = processIdentity(Number(String(line)));
  const identity = processIdentity(leader.pid!);
  try {
    expect(sessionMembers(identity)).toContainEqual(identity);
    signalProcess(identity, "SIGKILL");
    await exit;
    const members = sessionMembers(identity);
    expect(isRunning(identity)).toBe(false);
    expect(members).toHaveLength(1);
    expect(members).not.toContainEqual(left);
    // What began before the leader belongs to an earlier one with the same number.
    const later = { pid: identity.pid, startTicks: String(Number(members[0]!.startTicks) + 1) };
    expect(sessionMembers(later)).toEqual([]);
    for (const each of members) signalProcess(each, "SIGKILL");
  } finally {
    signalProcess(left, "SIGKILL");
  }
});

test("a boot has one name", () => {
  expect(bootId()).toMatch(/^[0-9a-f-]{36}$/);
  expect(bootId()).toBe(bootId());
});
