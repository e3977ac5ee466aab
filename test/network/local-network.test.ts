import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { enterCommand, LocalNetwork, RangeTakenError } from "../../cluster/local-network.ts";
import { planNetwork } from "../../cluster/network-plan.ts";
import type { RunCommand } from "../../lib/process/command.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";
import { ask, TestMachine } from "./machine.ts";
import { addressOf, pluginsFor } from "./pod-kit.ts";

const PORT = 8080;

/** Fails at its n-th command, as if the process had been killed there. */
function killedAt(run: RunCommand, n: number): RunCommand {
  let count = 0;
  return (argv, input) => (++count >= n ? Promise.reject(new Error("killed")) : run(argv, input));
}

describe.skipIf(skipping("network", whyNotContainers()))("a node's own network", () => {
  test("pods reach each other, the machine and the outside; the machine reaches pods", async () => {
    await using machine = await TestMachine.make();
    const plan = await machine.plan("a");
    expect(await machine.network.create(plan)).toEqual({ commandsToRun: [] });
    using plugins = pluginsFor(machine.node(plan), plan);
    const [one, two] = [await machine.podNamespace("p1"), await machine.podNamespace("p2")];
    const [first, second] = [
      addressOf(await plugins.add("c1", one.path)),
      addressOf(await plugins.add("c2", two.path)),
    ];
    await machine.echoServer(one.path, PORT);
    await machine.echoServer(`/run/netns/${machine.namespace}`, PORT);
    await machine.echoServer(`/run/netns/${machine.outside}`, PORT);

    expect(await ask(two.run, first, PORT)).toBe(second);
    expect(await ask(one.run, first, PORT)).toBe(first);
    expect(await ask(machine.run, first, PORT)).toBe(plan.machineAddress);
    expect(await ask(machine.node(plan), first, PORT)).toBe(plan.nodePodCidr.replace("0/24", "1"));
    // The machine sees the pod itself; the world outside sees the machine.
    expect(await ask(two.run, machine.address, PORT)).toBe(second);
    expect(await ask(two.run, machine.outsideAddress, PORT)).toBe(machine.address);
    expect(await one.run(["ip", "link", "show", "eth0"])).toContain("mtu 1400");
  });

  test("two clusters live beside each other", async () => {
    await using machine = await TestMachine.make();
    const plans = [await machine.plan("a"), await machine.plan("b")];
    const pods = [];
    for (const [i, plan] of plans.entries()) {
      await machine.network.create(plan);
      const pod = await machine.podNamespace(`p${i}`);
      using plugins = pluginsFor(machine.node(plan), plan);
      pods.push({ ...pod, address: addressOf(await plugins.add("c", pod.path)) });
    }
    await machine.echoServer(pods[0]!.path, PORT);
    expect(await ask(pods[1]!.run, pods[0]!.address, PORT)).toBe(plans[0]!.machineAddress);
  });

  test("an address that nobody has is refused, and does not go to and fro", async () => {
    await using machine = await TestMachine.make();
    const plan = await machine.plan("a");
    await machine.network.create(plan);
    const nobody = plan.serviceCidr.replace(/\d+\/\d+$/, "99");
    const startedMs = performance.now();
    expect(await ask(machine.node(plan), nobody, PORT)).toBeUndefined();
    expect(performance.now() - startedMs).toBeLessThan(1_400);
  });

  test("create again adopts what is there and mends what is missing", async () => {
    await using machine = await TestMachine.make();
    const plan = await machine.plan("a");
    await machine.network.create(plan);
    const inside = await machine.node(plan)(["ip", "-o", "link", "show", "eth0"]);
    const whole = await machine.traces();
    await machine.network.create(plan);
    expect(await machine.node(plan)(["ip", "-o", "link", "show", "eth0"])).toBe(inside);
    expect(await machine.traces()).toBe(whole);
    await machine.run(["nft", "flush", "ruleset"]);
    await machine.run(["ip", "route", "del", plan.clusterCidr]);
    await machine.network.create(plan);
    await machine.echoServer(`/run/netns/${machine.outside}`, PORT);
    expect(await ask(machine.node(plan), machine.outsideAddress, PORT)).toBe(machine.address);
  });

  test("killed at any command, down leaves nothing, and up after it works", async () => {
    await using machine = await TestMachine.make();
    const clean = await machine.traces();
    const plan = await machine.plan("a");
    let n = 1;
    for (let finished = false; !finished; n++) {
      finished = await new LocalNetwork(killedAt(machine.run, n)).create(plan).then(
        () => true,
        () => false,
      );
      await machine.network.remove(plan);
      expect(await machine.traces(), `killed at command ${n}`).toBe(clean);
    }
    expect(n).toBeGreaterThan(8);
    for (let m = 1, finished = false; !finished; m++) {
      await machine.network.create(plan);
      finished = await new LocalNetwork(killedAt(machine.run, m)).remove(plan).then(
        () => true,
        () => false,
      );
      await machine.network.remove(plan);
      expect(await machine.traces(), `down killed at command ${m}`).toBe(clean);
    }
  });

  test("a name without a namespace, left by a kill within ip netns add, stands in nobody's way", async () => {
    await using machine = await TestMachine.make();
    const plan = await machine.plan("a");
    const file = `/run/netns/${plan.namespace}`;
    writeFileSync(file, "");
    await machine.network.remove(plan);
    expect(existsSync(file)).toBe(false);
    writeFileSync(file, "");
    await machine.network.create(plan);
    expect(await machine.node(plan)(["ip", "-o", "link", "show", "eth0"])).toContain("UP");
  });

  test("an up that fails leaves nothing, unless the network was there before", async () => {
    await using machine = await TestMachine.make();
    const clean = await machine.traces();
    const plan = await machine.plan("a");
    const withoutNft: RunCommand = (argv, input) =>
      argv[0] === "nft" && argv[1] === "-f" ? Promise.reject(new Error("nft is broken")) : machine.run(argv, input);
    await expect(new LocalNetwork(withoutNft).create(plan)).rejects.toThrow("nft is broken");
    expect(await machine.traces()).toBe(clean);
    await machine.network.create(plan);
    const whole = await machine.traces();
    await expect(new LocalNetwork(withoutNft).create(plan)).rejects.toThrow("nft is broken");
    expect(await machine.traces()).toBe(whole);
  });

  test("down takes the pair away although a process still holds the namespace", async () => {
    await using machine = await TestMachine.make();
    const clean = await machine.traces();
    const plan = await machine.plan("a");
    await machine.network.create(plan);
    const [program, ...args] = [...enterCommand(plan), "sleep", "60"];
    const lingering = spawn(program!, args);
    try {
      await expect
        .poll(() =>
          machine
            .node(plan)(["true"])
            .then(() => lingering.pid !== undefined),
        )
        .toBe(true);
      await machine.network.remove(plan);
      expect(await machine.traces()).toBe(clean);
    } finally {
      lingering.kill("SIGKILL");
    }
  });

  test("a range that another cluster took meanwhile is an error, and the other goes on", async () => {
    await using machine = await TestMachine.make();
    const plan = await machine.plan("a");
    const rival = { ...(await machine.plan("b")), ...samePlaces(plan) };
    await machine.network.create(plan);
    await expect(machine.network.create(rival)).rejects.toThrow(RangeTakenError);
    await machine.network.remove(rival);
    await machine.echoServer(`/run/netns/${machine.outside}`, PORT);
    expect(await ask(machine.node(plan), machine.outsideAddress, PORT)).toBe(machine.address);
  });

  test("so does a network within the range, but not a wider one around it", async () => {
    await using machine = await TestMachine.make();
    const plan = await machine.plan("a");
    await machine.run(["ip", "route", "add", plan.serviceCidr, "dev", "eth0"]);
    await expect(machine.network.create(plan)).rejects.toThrow(RangeTakenError);
    await machine.run(["ip", "route", "del", plan.serviceCidr, "dev", "eth0"]);
    await machine.run(["ip", "route", "add", "10.0.0.0/8", "dev", "eth0"]);
    expect(await machine.network.create(plan)).toEqual({ commandsToRun: [] });
  });

  test("a new plan avoids what the machine has, but not a VPN's halves of the world", async () => {
    await using machine = await TestMachine.make();
    for (const half of ["0.0.0.0/1", "128.0.0.0/1"]) await machine.run(["ip", "route", "add", half, "dev", "eth0"]);
    const plan = await machine.plan("a");
    await machine.network.create(plan);
    expect(planNetwork(plan.id, await machine.network.usedRanges()).clusterCidr).not.toBe(plan.clusterCidr);
  });
});

function samePlaces({
  clusterCidr,
  machineAddress,
  nodeAddress,
  nodePodCidr,
  podCidr,
  serviceCidr,
}: Awaited<ReturnType<TestMachine["plan"]>>) {
  return { clusterCidr, machineAddress, nodeAddress, nodePodCidr, podCidr, serviceCidr };
}

describe.skipIf(skipping("network", whyNotContainers()))("forwarding on the machine", () => {
  test.each([
    ["in order", [0, 1]],
    ["the first last", [1, 0]],
  ])("is switched off again by the last cluster to go: %s", async (_, order) => {
    await using machine = await TestMachine.make();
    const clean = await machine.traces();
    const plans = [await machine.plan("a"), await machine.plan("b")];
    for (const plan of plans) await machine.network.create(plan);
    expect(await machine.forwarding()).toBe("1");
    await machine.network.remove(plans[order[0]!]!);
    expect(await machine.forwarding()).toBe("1");
    await machine.network.remove(plans[order[1]!]!);
    expect(await machine.traces()).toBe(clean);
  });

  test("stays on where it was on", async () => {
    await using machine = await TestMachine.make();
    await machine.setForwarding("1");
    const plan = await machine.plan("a");
    await machine.network.create(plan);
    await machine.network.remove(plan);
    expect(await machine.forwarding()).toBe("1");
  });
});
