import { expect, test } from "vitest";
import type { Clock } from "../../lib/core/clock.ts";
import { silentLog } from "../../lib/core/log.ts";
import { CommandError } from "../../lib/process/command.ts";
import { PodNetwork } from "./pod-network.ts";

/** Plugins that answer as told, and a clock that stands until it is moved. */
function node(
  answer: (config: Record<string, unknown>, command: string) => Promise<string> = () => Promise.resolve(""),
) {
  const calls: { command: string; config: Record<string, unknown> }[] = [];
  const timers: { atMs: number; callback: () => void }[] = [];
  let nowMs = 1_000_000;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, callback) {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.push(timer);
      return { cancel: () => void timers.splice(timers.indexOf(timer), 1) };
    },
    sleep: () => Promise.reject(new Error("nobody sleeps here")),
  };
  const run = (argv: readonly string[], input = "") => {
    const command = argv.find((word) => word.startsWith("CNI_COMMAND="))!.split("=")[1]!;
    const config = JSON.parse(input) as Record<string, unknown>;
    calls.push({ command, config });
    return answer(config, command);
  };
  const advance = (ms: number) => {
    nowMs += ms;
    for (const timer of timers.filter((each) => each.atMs <= nowMs)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.callback();
    }
  };
  const network = new PodNetwork(
    { run, clock, log: silentLog },
    {
      installation: { binDir: "/bin/cni", reservationsDir: "/networks" },
      network: { podCidr: "10.1.0.0/24", mtu: 1500 },
    },
  );
  return { network, calls, timers, advance };
}

const failure = (stderr: string) => Promise.reject(new CommandError(["bridge"], 1, { stdout: "", stderr }));
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a problem is told in the plugin's words, and asked again at once", async () => {
  let text = "all addresses are in use";
  const { network, calls } = node(() => (text === "" ? Promise.resolve("") : failure(text)));
  expect(await network.problem()).toBe("bridge: all addresses are in use");
  text = "";
  expect(await network.problem()).toBeUndefined();
  expect(calls.map((call) => [call.command, call.config["cniVersion"], call.config["name"]])).toEqual([
    ["STATUS", "1.1.0", "pods"],
    ["STATUS", "1.1.0", "pods"],
  ]);
});

test("good news holds for a minute, or until a sandbox fails", async () => {
  const { network, calls, advance } = node();
  for (let i = 0; i < 3; i++) await network.problem();
  expect(calls).toHaveLength(1);
  advance(60_001);
  await network.problem();
  expect(calls).toHaveLength(2);
  await expect(network.whileAttaching(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await network.problem();
  expect(calls).toHaveLength(3);
});

test("invariant 49: a collection waits for sandboxes in the making, and new ones wait for it", async () => {
  const order: string[] = [];
  const collected = Promise.withResolvers<string>();
  const { network } = node(() => {
    order.push("collecting");
    return collected.promise;
  });
  const made = Promise.withResolvers<void>();
  const first = network.whileAttaching(() => made.promise.then(() => void order.push("made")));
  const sandboxes: string[] = [];
  const collection = network.collectGarbage(async () => {
    order.push("listed");
    return sandboxes;
  });
  const second = network.whileAttaching(async () => void order.push("second"));
  await turn();
  expect(order).toEqual([]);
  made.resolve();
  await first;
  await turn();
  expect(order).toEqual(["made", "listed", "collecting"]);
  collected.resolve("");
  expect(await collection).toBeUndefined();
  await second;
  expect(order.at(-1)).toBe("second");
});

test("garbage is collected at start and hourly, and after a failure in a minute", async () => {
  let fails = true;
  const { network, calls, timers, advance } = node(() => (fails ? failure("not now") : Promise.resolve("")));
  network.start(async () => ["a", "b"]);
  await turn();
  expect(calls[0]).toMatchObject({
    command: "GC",
    config: {
      "cni.dev/valid-attachments": [
        { containerID: "a", ifname: "eth0" },
        { containerID: "b", ifname: "eth0" },
      ],
    },
  });
  fails = false;
  advance(60_000);
  await turn();
  expect(calls).toHaveLength(2);
  advance(3_599_999);
  await turn();
  expect(calls).toHaveLength(2);
  advance(1);
  await turn();
  expect(calls).toHaveLength(3);
  await network.stop();
  expect(timers).toEqual([]);
});

test("where sandboxes cannot be listed nothing is freed", async () => {
  const { network, calls } = node();
  await expect(network.collectGarbage(() => Promise.reject(new Error("containerd is away")))).rejects.toThrow("away");
  expect(calls).toEqual([]);
  expect(await network.collectGarbage(async () => [])).toBeUndefined();
});
