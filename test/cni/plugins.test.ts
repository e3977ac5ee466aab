import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunCommand } from "../../lib/process/command.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";
import { TestMachine } from "../network/machine.ts";
import { addressOf, type CniAnswer, InstalledPlugins } from "../network/pod-kit.ts";
import { linkName, ROWS } from "./rows.ts";

describe.skipIf(skipping("cni", whyNotContainers()))("the plugins as executables", () => {
  let machine: TestMachine;
  let plugins: InstalledPlugins;
  let pod: { path: string; run: RunCommand };
  beforeAll(async () => {
    machine = await TestMachine.make();
    pod = await machine.podNamespace("pod");
    plugins = new InstalledPlugins(machine.run, { podCidr: "10.77.0.0/24", mtu: 1400 });
  });
  afterAll(async () => {
    plugins[Symbol.dispose]();
    await machine[Symbol.asyncDispose]();
  });

  const reserved = (from = plugins): string[] => {
    const dir = path.join(from.reservationsDir, "pods");
    return existsSync(dir) ? readdirSync(dir).filter((name) => /^\d/.test(name)) : [];
  };
  const links = async (): Promise<string[]> =>
    (await machine.run(["ip", "-o", "link", "show", "type", "veth"])).match(/veth[0-9a-f]{11}/g) ?? [];
  const collect = (valid: string[] = [], from = plugins): Promise<CniAnswer> => {
    const attachments = valid.map((containerID) => ({ containerID, ifname: "eth0" }));
    return from.call("GC", {}, from.config({ "cni.dev/valid-attachments": attachments }));
  };
  const prevResult = (added: CniAnswer) => plugins.config({ prevResult: added.body });
  const check = (id: string, added: CniAnswer): Promise<CniAnswer> =>
    plugins.call("CHECK", { CNI_CONTAINERID: id, CNI_NETNS: pod.path }, prevResult(added));

  test.each(ROWS)("$name: code $code", async ({ command, env, config, code, says }) => {
    const stdin = typeof config === "string" ? config : plugins.config(config);
    const variables = { CNI_CONTAINERID: "row", CNI_NETNS: pod.path, ...env };
    const answer = await plugins.call(command ?? "ADD", variables, stdin);
    expect(answer.exitCode).toBe(1);
    expect(answer.body).toMatchObject({
      code,
      cniVersion: expect.stringMatching(/^\d/),
      msg: expect.stringMatching(/./),
    });
    if (says !== undefined) expect(JSON.stringify(answer.body).replaceAll('\\"', '"')).toContain(says);
    expect(answer.stderr).not.toBe("");
    expect(reserved()).toEqual([]);
    expect(await links()).toEqual([]);
  });

  test("VERSION needs nothing else", async () => {
    const answer = await plugins.call("VERSION", { CNI_IFNAME: "" }, "");
    expect(answer).toMatchObject({
      exitCode: 0,
      body: { supportedVersions: expect.arrayContaining(["1.0.0", "1.1.0"]) },
    });
  });

  test("standard input that is closed is code 6, one that cannot be read code 5", async () => {
    const command = `CNI_COMMAND=STATUS '${plugins.binDir}/bridge'`;
    for (const [redirection, code] of [
      ["</dev/null", 6],
      ["</", 5],
    ] as const) {
      const output = await machine.run(["sh", "-c", `${command} ${redirection} || true`]);
      expect(JSON.parse(output).code).toBe(code);
    }
  });

  test("invariant 49: ADD, CHECK and DEL; ADD twice is an error, DEL twice and without a namespace is none", async () => {
    const added = await plugins.add("one", pod.path);
    expect(added).toMatchObject({ exitCode: 0, body: { cniVersion: "1.1.0" } });
    const address = addressOf(added);
    expect(reserved()).toEqual([address]);
    expect(await pod.run(["ip", "-o", "-4", "addr", "show", "dev", "eth0"])).toContain(`${address}/24`);
    expect((await check("one", added)).exitCode).toBe(0);

    expect(await plugins.add("one", pod.path)).toMatchObject({ exitCode: 1, body: { code: 102 } });
    expect((await check("one", added)).exitCode).toBe(0);

    for (const netns of [pod.path, pod.path, "", "/run/netns/gone"]) {
      expect(await plugins.del("one", netns)).toMatchObject({ exitCode: 0 });
      expect([reserved(), await links()]).toEqual([[], []]);
    }
  });

  test("CHECK sees what is gone", async () => {
    const added = await plugins.add("checked", pod.path);
    await pod.run(["ip", "addr", "flush", "dev", "eth0"]);
    expect(await check("checked", added)).toMatchObject({ exitCode: 1, body: { code: 101 } });
    await machine.run(["ip", "link", "set", linkName("checked"), "nomaster"]);
    expect((await check("checked", added)).body["details"]).toContain("is not on cni0");
    await machine.run(["ip", "link", "del", linkName("checked")]);
    expect(await check("checked", added)).toMatchObject({ exitCode: 1, body: { code: 101 } });
    await plugins.del("checked");
  });

  test("an ADD that fails inside the pod leaves neither link nor address", async () => {
    await pod.run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other"]);
    expect(await plugins.add("busy", pod.path)).toMatchObject({ exitCode: 1, body: { code: 100 } });
    expect([reserved(), await links()]).toEqual([[], []]);
    await pod.run(["ip", "link", "del", "eth0"]);
  });

  test("an empty pool is code 11 for ADD and 50 for STATUS", async () => {
    using small = new InstalledPlugins(machine.run, { podCidr: "10.78.0.0/30", mtu: 1400 });
    const status = () => small.call("STATUS", {});
    expect((await status()).exitCode).toBe(0);
    expect((await small.add("a", pod.path)).exitCode).toBe(0);
    expect(await status()).toMatchObject({ exitCode: 1, body: { code: 50 } });
    expect(await small.add("b", pod.path)).toMatchObject({ exitCode: 1, body: { code: 11 } });
    await small.del("a");
    expect((await status()).exitCode).toBe(0);
  });

  test("invariant 49: many ADDs at once get an address each, the first of them making one bridge", async () => {
    await machine.run(["ip", "link", "del", "cni0"]);
    const names = Array.from({ length: 8 }, (_, i) => `many${i}`);
    const pods = await Promise.all(names.map((name) => machine.podNamespace(name)));
    const answers = await Promise.all(names.map((name, i) => plugins.add(name, pods[i]!.path)));
    expect(answers.map((answer) => answer.exitCode)).toEqual(names.map(() => 0));
    expect(new Set(answers.map(addressOf)).size).toBe(names.length);
    expect(new Set(reserved())).toEqual(new Set(answers.map(addressOf)));
    expect((await collect(names.slice(0, 3))).exitCode).toBe(0);
    expect(reserved()).toHaveLength(3);
    expect(new Set(await links())).toEqual(new Set(names.slice(0, 3).map(linkName)));
    await Promise.all(names.map((name) => plugins.del(name)));
    expect([reserved(), await links()]).toEqual([[], []]);
  });

  test("invariant 49: an ADD killed at any moment leaks nothing after GC, and the next ADD works", async () => {
    for (let delayMs = 20; delayMs <= 90; delayMs += 7) {
      await killedAdd(`killed${delayMs}`, delayMs);
      expect((await collect()).exitCode).toBe(0);
      expect([reserved(), await links()], `killed after ${delayMs} ms`).toEqual([[], []]);
      await pod.run(["ip", "link", "del", "eth0"]).catch(() => {});
    }
    expect((await plugins.add("after", pod.path)).exitCode).toBe(0);
    await plugins.del("after");
  });

  async function killedAdd(id: string, delayMs: number): Promise<void> {
    const env = {
      PATH: process.env["PATH"],
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: id,
      CNI_NETNS: pod.path,
      CNI_IFNAME: "eth0",
    };
    const program = path.join(plugins.binDir, "bridge");
    // nsenter, sh and node are one process after another, of one number.
    const child = spawn("nsenter", [`--net=/run/netns/${machine.namespace}`, program], {
      env,
      stdio: ["pipe", "ignore", "ignore"],
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.stdin.end(JSON.stringify(plugins.config()));
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    child.kill("SIGKILL");
    await ended;
  }

  test("host-local and loopback by themselves", async () => {
    const { ipam } = plugins.config() as { ipam: Record<string, unknown> };
    const config = { cniVersion: "1.0.0", name: "alone", ipam };
    const variables = { CNI_CONTAINERID: "x", CNI_NETNS: pod.path };
    const added = await plugins.call("ADD", variables, config, "host-local");
    expect(added.body).toMatchObject({ cniVersion: "1.0.0", ips: [{ gateway: "10.77.0.1" }] });
    expect((await plugins.call("DEL", variables, config, "host-local")).exitCode).toBe(0);

    await pod.run(["ip", "link", "set", "lo", "down"]);
    const loopback = { cniVersion: "0.4.0", name: "cni-loopback" };
    const inside = { ...variables, CNI_IFNAME: "lo" };
    expect((await plugins.call("CHECK", inside, loopback, "loopback")).body).toMatchObject({ code: 101 });
    expect((await plugins.call("ADD", inside, loopback, "loopback")).body).toMatchObject({
      interfaces: [{ name: "lo" }],
    });
    expect((await plugins.call("CHECK", inside, loopback, "loopback")).exitCode).toBe(0);
    for (const netns of [pod.path, "", "/run/netns/gone"]) {
      expect((await plugins.call("DEL", { ...inside, CNI_NETNS: netns }, loopback, "loopback")).exitCode).toBe(0);
    }
  });

  test("what would mean something to a shell is a name like any other", async () => {
    for (const name of ["$(reboot)", "e;reboot", "`id`", "-x"]) {
      const variables = { CNI_CONTAINERID: "shell", CNI_NETNS: pod.path, CNI_IFNAME: name };
      expect((await plugins.call("ADD", variables)).exitCode).toBe(0);
      expect(await pod.run(["ip", "-o", "link"])).toContain(`: ${name}@`);
      await plugins.call("DEL", variables);
      expect([reserved(), await links()]).toEqual([[], []]);
    }
  });

  test("the environment of the caller cannot change what runs", async () => {
    const variables = {
      CNI_CONTAINERID: "env",
      CNI_NETNS: pod.path,
      NODE_OPTIONS: "--require=/nonexistent",
      PATH: "/nonexistent",
    };
    const prefix = [
      "/usr/bin/env",
      ...Object.entries({ ...variables, CNI_COMMAND: "ADD", CNI_IFNAME: "eth0" }).map(
        ([key, value]) => `${key}=${value}`,
      ),
    ];
    const output = await machine.run(
      [...prefix, path.join(plugins.binDir, "bridge")],
      JSON.stringify(plugins.config()),
    );
    expect(JSON.parse(output).ips).toHaveLength(1);
    await plugins.del("env");
  });
});
