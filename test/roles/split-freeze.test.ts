import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { SplitCluster } from "../kit/split-cluster.ts";
import { TcpProxy } from "../kit/tcp-proxy.ts";

/** Processes that stop without ending, and lines that are cut without a word. */
let cluster: SplitCluster;
const storeLines: TcpProxy[] = [];
beforeAll(async () => {
  cluster = await SplitCluster.start({
    async route(from, address) {
      if (from !== "api-server-1") return address;
      const proxy = await TcpProxy.start(address);
      storeLines.push(proxy);
      return proxy.address;
    },
  });
});
afterEach(async () => {
  for (const process of cluster.processes.values()) process.signal("SIGCONT");
  for (const line of storeLines) line.resume();
  await cluster.ready();
  await cluster.kubectl(2).ok(["delete", "deployments", "--all"]);
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  for (const line of storeLines) await line[Symbol.asyncDispose]();
});

/** By the second api-server, which no test here harms. */
async function rollOut(name: string): Promise<void> {
  const kubectl = cluster.kubectl(2);
  await kubectl.ok(["create", "deployment", name, "--image=x", "--replicas=6"]);
  await kubectl.ok(["rollout", "status", `deployment/${name}`, "--timeout=90s"], { timeoutMs: 100_000 });
}

/** All roles are with an api-server that is ready; who has ended meanwhile is started again. */
function othersReady(): Promise<void> {
  return eventually(
    async () => {
      for (const process of cluster.processes.values()) {
        if (process.name === "api-server-1") continue;
        if (!process.running) process.start();
        expect(await process.describe()).toMatchObject({ ready: true });
      }
    },
    { timeoutMs: 60_000 },
  );
}

test("F2: roles leave an api-server that is frozen", async () => {
  cluster.process("api-server-1").signal("SIGSTOP");
  await rollOut("frozen");
  await othersReady();
});

test("F10: roles leave an api-server that is cut off from the store", async () => {
  for (const line of storeLines) line.pause();
  await rollOut("partition");
  await othersReady();
  await eventually(async () => expect((await cluster.process("api-server-1").describe(5_000)).ready).toBe(false));
});

for (const [role, lease] of [
  ["scheduler", "kube-scheduler"],
  ["controller-manager", "kube-controller-manager"],
] as const) {
  test(`F2: a ${role} that leads and is frozen until the other leads ends on waking, having written nothing`, async () => {
    const holder = () =>
      cluster.kubectl(2).ok(["get", "lease", "-n", "kube-system", lease, "-o", "jsonpath={.spec.holderIdentity}"]);
    await eventually(async () => expect(await cluster.leaders(role)).toHaveLength(1));
    const [frozen] = await cluster.leaders(role);
    const [other] = [...cluster.processes.keys()].filter((name) => name.startsWith(`${role}-`) && name !== frozen);
    cluster.process(frozen!).signal("SIGSTOP");
    await rollOut("during");
    const successor = (await cluster.process(other!).describe()).instance;
    expect(await holder()).toBe(successor);
    cluster.process(frozen!).signal("SIGCONT");
    await eventually(() => expect(cluster.process(frozen!).running).toBe(false));
    expect(cluster.process(frozen!).exitCode).toBe(75);
    expect(await holder()).toBe(successor);
    const pods = await cluster.kubectl(2).ok(["get", "pods", "-o", "name"]);
    expect(pods.trim().split("\n")).toHaveLength(6);
  });
}
