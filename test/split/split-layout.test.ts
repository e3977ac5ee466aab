import { existsSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isRunning, processIdentity } from "../../lib/process/process-identity.ts";
import { eventually } from "../kit/eventually.ts";
import { keelson, TestCluster, type TestClusterStatus } from "../kit/keelson.ts";
import { skipping, whyNotLayout } from "../kit/requirements.ts";
import { clusterId, traces } from "../kit/traces.ts";

const INSTANCES = [
  "nats",
  "store",
  "api-server-1",
  "api-server-2",
  "balancer",
  "scheduler-1",
  "scheduler-2",
  "controller-manager-1",
  "controller-manager-2",
  "node-1",
  "node-2",
];
const LED = /^(scheduler|controller-manager)-/;
const HEALTHY_LIMIT = { timeoutMs: 60_000 };

/** `up --layout=split`: what is there, and what comes back when it is killed. */
describe.skipIf(skipping("split", whyNotLayout("split")))("the split layout", () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.up(["--layout=split", "--runtime=simulated", "--nodes=2"]);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  function healthy(): Promise<TestClusterStatus> {
    return eventually(async () => {
      const status = await cluster.status();
      expect(status.roles.filter((role) => role.health !== "ok")).toEqual([]);
      expect(status.ready).toBe(true);
      return status;
    }, HEALTHY_LIMIT);
  }

  /** Also has its leaders: one that was killed is followed when its lease has ended. */
  function led(): Promise<TestClusterStatus> {
    return eventually(async () => {
      const status = await healthy();
      // The api-server that leads publishes events.
      for (const name of ["scheduler", "controller-manager", "api-server"]) expect(leaders(status, name)).toBe(1);
      return status;
    }, HEALTHY_LIMIT);
  }

  function leaders(status: TestClusterStatus, name: string): number {
    return status.roles.filter((role) => role.name === name && role.leader).length;
  }

  function pidOf(status: TestClusterStatus, instance: string): number {
    return status.roles.find((role) => role.instance === instance)?.pid ?? 0;
  }

  async function runs(pod: string): Promise<void> {
    await cluster.kubectl.ok(["run", pod, "--image=anything"]);
    await eventually(async () => expect(await cluster.kubectl.ok(["get", "pod", pod])).toContain("Running"));
  }

  test("status has a row for each process, each with a pid of its own, and one leader of each role", async () => {
    const status = await led();
    expect(status.roles.map((role) => role.instance)).toEqual(INSTANCES);
    const pids = status.roles.map((role) => role.pid);
    expect(new Set([status.pid, ...pids]).size).toBe(INSTANCES.length + 1);
    for (const pid of pids) expect(isRunning(processIdentity(pid!))).toBe(true);
    const text = (await keelson(["status", `--data-dir=${cluster.dataDir}`])).stdout.split("\n");
    const column = text.find((line) => line.includes("HEALTH"))!.indexOf("HEALTH");
    for (const instance of INSTANCES) {
      expect(text.find((line) => line.includes(`  ${instance} `))?.slice(column)).toMatch(/^ok( |$)/);
    }
  });

  test("kubectl works through the balancer", async () => {
    expect((await cluster.kubectl.ok(["get", "nodes", "-o", "name"])).trim().split("\n")).toHaveLength(2);
    await runs("web");
  });

  test("logs are told apart by process, and can be had of one role", async () => {
    const all = await keelson(["logs", `--data-dir=${cluster.dataDir}`, "--tail=1"]);
    expect(all.stdout).toMatch(/^store \| store listens on /m);
    expect(all.stdout).toMatch(/^supervisor \| /m);
    const one = await keelson(["logs", `--data-dir=${cluster.dataDir}`, "--role=store"]);
    expect(one.stdout).toMatch(/^store listens on /m);
    const nodes = await keelson(["logs", `--data-dir=${cluster.dataDir}`, "--role=node-agent"]);
    expect(nodes.stdout).toMatch(/^node-2 \| /m);
    expect(nodes.stdout).not.toMatch(/^store \| /m);
    const none = await keelson(["logs", `--data-dir=${cluster.dataDir}`, "--role=nobody"]);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("--role=nobody: there are logs of ") });
  });

  /** Kills these processes; resolves when each has another pid, all are well, and nobody else was started again. */
  async function killed(victims: readonly string[], before: TestClusterStatus): Promise<void> {
    for (const victim of victims) process.kill(pidOf(before, victim), "SIGKILL");
    await eventually(async () => {
      const status = await cluster.status();
      for (const victim of victims) {
        expect(pidOf(status, victim)).not.toBe(0);
        expect(pidOf(status, victim)).not.toBe(pidOf(before, victim));
      }
    }, HEALTHY_LIMIT);
    const after = await healthy();
    const others = INSTANCES.filter((one) => !victims.includes(one));
    expect(others.map((one) => pidOf(after, one))).toEqual(others.map((one) => pidOf(before, one)));
  }

  for (const instance of INSTANCES.filter((one) => !LED.test(one))) {
    test(`${instance} comes back when it is killed, and nothing else is started again`, async () => {
      await killed([instance], await healthy());
    });
  }

  test("leaders that are killed come back, and others lead; so do those that did not lead", async () => {
    const before = await led();
    const wereLeading = before.roles
      .filter((role) => role.leader && LED.test(role.instance))
      .map((role) => role.instance);
    await killed(wereLeading, before);
    const after = await led();
    for (const role of after.roles) if (wereLeading.includes(role.instance)) expect(role.leader).toBe(false);
    await killed(wereLeading, after);
  });

  test("an api-server that stops answering gets no more connections, and is used again when it goes on", async () => {
    const pid = pidOf(await healthy(), "api-server-1");
    process.kill(pid, "SIGSTOP");
    try {
      await eventually(async () => {
        // Connections go round: two in a row would meet the frozen one.
        for (let i = 0; i < 2; i++) await cluster.kubectl.ok(["get", "--raw=/readyz", "--request-timeout=3s"]);
      });
      const status = await cluster.status();
      expect(status.ready).toBe(false);
      expect(status.roles.filter((role) => role.health !== "ok").map((role) => role.instance)).toContain(
        "api-server-1",
      );
      await cluster.kubectl.ok(["create", "configmap", "while-frozen", "--request-timeout=5s"]);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    expect(pidOf(await healthy(), "api-server-1")).toBe(pid);
  });

  test("after all that pods are scheduled and run", () => runs("after-kills"));

  test("its layout cannot be changed", async () => {
    const result = await keelson(["up", `--data-dir=${cluster.dataDir}`, "--layout=all-in-one"]);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining("--layout=all-in-one") });
  });

  test("the supervisor is killed: the API goes on, and up again puts everything under a new one", async () => {
    const before = await healthy();
    process.kill(before.pid!, "SIGKILL");
    expect(await cluster.kubectl.ok(["get", "pod", "web"])).toContain("Running");
    expect((await cluster.status()).pid).toBeNull();
    expect(await cluster.upAgain()).toContain("ready after");
    const after = await healthy();
    expect(after.addresses).toEqual(before.addresses);
    for (const instance of INSTANCES)
      expect(isRunning(processIdentity(pidOf(before, instance)))).toBe(
        pidOf(before, instance) === pidOf(after, instance),
      );
    expect(await cluster.kubectl.ok(["get", "pod", "web"])).toContain("Running");
  });

  test("down ends everything, also when the supervisor was killed before; up again keeps objects", async () => {
    const { pid } = await healthy();
    const id = clusterId(cluster.dataDir);
    process.kill(pid!, "SIGKILL");
    expect((await keelson(["down", `--data-dir=${cluster.dataDir}`])).code).toBe(0);
    expect(await traces(id, cluster.dataDir)).toEqual([]);
    await cluster.upAgain();
    expect(await cluster.kubectl.ok(["get", "pod", "web", "-o", "name"])).toBe("pod/web\n");
  });

  test("down in order, then purge: no process, no socket, no file", async () => {
    const { addresses } = await healthy();
    const id = clusterId(cluster.dataDir);
    expect((await keelson(["down", `--data-dir=${cluster.dataDir}`])).code).toBe(0);
    expect(await traces(id, cluster.dataDir)).toEqual([]);
    for (const address of [addresses["api"]!.replace("https://", ""), addresses["grpc"]!]) {
      expect(await connects(address)).toBe(false);
    }
    expect((await keelson(["down", "--purge", `--data-dir=${cluster.dataDir}`])).code).toBe(0);
    // kubectl's own cache is in the folder, and is not Keelson's to delete.
    expect(existsSync(`${cluster.dataDir}/logs`)).toBe(false);
    expect(existsSync(`${cluster.dataDir}/run`)).toBe(false);
    expect(existsSync(`${cluster.dataDir}/pki`)).toBe(false);
  });
});

function connects(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect(Number(port), host, () => resolve(true));
    socket.once("error", () => resolve(false)).once("connect", () => socket.destroy());
  });
}
