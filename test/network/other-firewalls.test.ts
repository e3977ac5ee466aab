import { describe, expect, test } from "vitest";
import type { NetworkPlan } from "../../cluster/network-plan.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";
import { ask, TestMachine } from "./machine.ts";

const PORT = 8080;

/** What dockerd makes of a machine's FORWARD chain, as far as it concerns others. */
const DOCKER = [
  ["-N", "DOCKER-USER"],
  ["-A", "DOCKER-USER", "-j", "RETURN"],
  ["-P", "FORWARD", "DROP"],
  ["-A", "FORWARD", "-j", "DOCKER-USER"],
];

async function reachesOutside(machine: TestMachine, plan: NetworkPlan): Promise<boolean> {
  return (await ask(machine.node(plan), machine.outsideAddress, PORT)) === machine.address;
}

async function machineWithServer(): Promise<TestMachine> {
  const machine = await TestMachine.make();
  await machine.echoServer(`/run/netns/${machine.outside}`, PORT);
  return machine;
}

describe.skipIf(skipping("network", whyNotContainers()))("where another firewall drops forwarded packets", () => {
  test("Docker's has a place for our rules, from which they go again", async () => {
    await using machine = await machineWithServer();
    for (const rule of DOCKER) await machine.run(["iptables", ...rule]);
    const before = await machine.run(["iptables", "-S"]);
    const plan = await machine.plan("a");
    expect(await machine.network.create(plan)).toEqual({ commandsToRun: [] });
    expect(await reachesOutside(machine, plan)).toBe(true);

    // Once more changes nothing; without the rules it would not work.
    const once = await machine.run(["iptables", "-S"]);
    await machine.network.create(plan);
    expect(await machine.run(["iptables", "-S"])).toBe(once);
    expect(once).toContain(`--comment ${plan.table}`);
    await machine.run(["iptables", "-F", "DOCKER-USER"]);
    expect(await reachesOutside(machine, plan)).toBe(false);

    await machine.run(["iptables", "-A", "DOCKER-USER", "-j", "RETURN"]);
    await machine.network.create(plan);
    await machine.network.remove(plan);
    expect(await machine.run(["iptables", "-S"])).toBe(before);
  });

  test("Docker that comes after up is met by the next up", async () => {
    await using machine = await machineWithServer();
    const plan = await machine.plan("a");
    await machine.network.create(plan);
    for (const rule of DOCKER) await machine.run(["iptables", ...rule]);
    expect(await reachesOutside(machine, plan)).toBe(false);
    await machine.network.create(plan);
    expect(await reachesOutside(machine, plan)).toBe(true);
  });

  test("two clusters have a rule each, and one takes away only its own", async () => {
    await using machine = await machineWithServer();
    for (const rule of DOCKER) await machine.run(["iptables", ...rule]);
    const plans = [await machine.plan("a"), await machine.plan("b")];
    for (const plan of plans) await machine.network.create(plan);
    await machine.network.remove(plans[0]!);
    expect(await machine.run(["iptables", "-S"])).not.toContain(plans[0]!.table);
    expect(await reachesOutside(machine, plans[1]!)).toBe(true);
  });

  test("a bare DROP gets nothing, and the printed commands open it", async () => {
    await using machine = await machineWithServer();
    await machine.run(["iptables", "-P", "FORWARD", "DROP"]);
    const before = await machine.run(["iptables", "-S"]);
    const plan = await machine.plan("a");
    const { commandsToRun } = await machine.network.create(plan);
    expect(await machine.run(["iptables", "-S"])).toBe(before);
    expect(commandsToRun).toHaveLength(2);
    expect(await reachesOutside(machine, plan)).toBe(false);
    for (const command of commandsToRun) await machine.run(command.split(" "));
    expect(await reachesOutside(machine, plan)).toBe(true);
    expect(await machine.network.create(plan)).toEqual({ commandsToRun: [] });
    await machine.network.remove(plan);
    expect(await machine.run(["iptables", "-S"])).toBe(before);
  });

  test("so with an nftables chain of somebody's own", async () => {
    await using machine = await machineWithServer();
    await machine.run(
      ["nft", "-f", "-"],
      "table inet mine {\n chain transit {\n type filter hook forward priority 10; policy drop;\n }\n}\n",
    );
    const plan = await machine.plan("a");
    const { commandsToRun } = await machine.network.create(plan);
    expect(await reachesOutside(machine, plan)).toBe(false);
    expect(commandsToRun[0]).toMatch(/^nft insert rule inet mine transit iifname keel-/);
    for (const command of commandsToRun) await machine.run(command.split(" "));
    expect(await reachesOutside(machine, plan)).toBe(true);
    expect(await machine.network.create(plan)).toEqual({ commandsToRun: [] });
  });

  test("firewalld is asked by its own command", async () => {
    await using machine = await machineWithServer();
    await machine.run(["nft", "add table inet firewalld"]);
    await machine.run([
      "nft",
      "add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }",
    ]);
    const plan = await machine.plan("a");
    const { commandsToRun } = await machine.network.create(plan);
    expect(commandsToRun).toEqual([`firewall-cmd --zone=trusted --add-interface=${plan.machineInterface}`]);
  });
});
