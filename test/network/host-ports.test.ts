import { describe, expect, test } from "vitest";
import { linkName } from "../cni/rows.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";
import { ask, TestMachine } from "./machine.ts";
import { addressOf, pluginsFor } from "./pod-kit.ts";

const POD_PORT = 8080;

describe.skipIf(skipping("network", whyNotContainers()))("ports of the node", () => {
  test("lead to the container from machine, node, other pods and itself, and no longer than it lives", async () => {
    await using machine = await TestMachine.make();
    const plan = await machine.plan("a");
    await machine.network.create(plan);
    using plugins = pluginsFor(machine.node(plan), plan);
    const [one, two] = [await machine.podNamespace("p1"), await machine.podNamespace("p2")];
    const published = (hostPort: number, hostIP = "") =>
      plugins.config({
        runtimeConfig: { portMappings: [{ hostPort, containerPort: POD_PORT, protocol: "tcp", hostIP }] },
      });
    const first = { CNI_CONTAINERID: "c1", CNI_NETNS: one.path };
    const second = { CNI_CONTAINERID: "c2", CNI_NETNS: two.path };

    await one.run(["ip", "link", "set", "lo", "up"]);
    const added = await plugins.call("ADD", first, published(80));
    expect(added.exitCode).toBe(0);
    await machine.echoServer(one.path, POD_PORT);
    expect(await plugins.call("ADD", second, published(80))).toMatchObject({ exitCode: 1, body: { code: 11 } });
    const other = addressOf(await plugins.call("ADD", second, published(81, plan.nodeAddress)));
    await machine.echoServer(two.path, POD_PORT);

    const gateway = plan.nodePodCidr.replace("0/24", "1");
    expect(await ask(machine.run, plan.nodeAddress, 80)).toBe(plan.machineAddress);
    expect(await ask(machine.node(plan), plan.nodeAddress, 80)).toBeDefined();
    expect(await ask(two.run, plan.nodeAddress, 80)).toBe(gateway);
    expect(await ask(one.run, plan.nodeAddress, 80)).toBe(gateway);
    expect(await ask(two.run, gateway, 80)).toBe(gateway);
    // Straight from pod to pod nothing is masked.
    expect(await ask(two.run, addressOf(added), POD_PORT)).toBe(other);
    // A mapping of one address of the node is no other's.
    expect(await ask(machine.run, plan.nodeAddress, 81)).toBe(plan.machineAddress);
    expect(await ask(one.run, gateway, 81)).toBeUndefined();

    const check = { ...published(80), prevResult: added.body };
    expect((await plugins.call("CHECK", first, check)).exitCode).toBe(0);
    expect((await plugins.call("DEL", first)).exitCode).toBe(0);
    expect(await ask(machine.run, plan.nodeAddress, 80)).toBeUndefined();
    expect(await plugins.call("CHECK", first, check)).toMatchObject({ exitCode: 1, body: { code: 101 } });

    const rules = () => machine.node(plan)(["nft", "list", "ruleset"]);
    expect(await rules()).toContain(linkName("c2"));
    await plugins.call("GC", {}, plugins.config({ "cni.dev/valid-attachments": [] }));
    expect(await rules()).not.toContain(linkName("c2"));
  });

  test("the plugin by itself goes on with the result that it is given", async () => {
    await using machine = await TestMachine.make();
    using plugins = pluginsFor(machine.run, await machine.plan("a"));
    const config = {
      cniVersion: "1.0.0",
      name: "alone",
      type: "portmap",
      runtimeConfig: { portMappings: [{ hostPort: 90, containerPort: 9 }] },
      prevResult: {
        cniVersion: "1.0.0",
        ips: [{ address: "10.1.0.5/24", interface: 2 }],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    };
    const variables = { CNI_CONTAINERID: "x", CNI_NETNS: "/run/netns/none" };
    const added = await plugins.call("ADD", variables, config, "portmap");
    expect(added.body).toMatchObject({
      cniVersion: "1.0.0",
      ips: config.prevResult.ips,
      routes: config.prevResult.routes,
    });
    expect(await machine.run(["nft", "list", "ruleset"])).toContain("dnat to 10.1.0.5:9");
    for (const _ of [1, 2]) expect((await plugins.call("DEL", variables, config, "portmap")).exitCode).toBe(0);
    expect(await machine.run(["nft", "list", "ruleset"])).not.toContain("dnat to");
  });
});
