import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { SplitCluster } from "../kit/split-cluster.ts";

/** Every role as a process of its own, all hops by mutual TLS. */
let cluster: SplitCluster;
beforeAll(async () => {
  cluster = await SplitCluster.start();
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const ok = (...args: string[]) => cluster.kubectl().ok(args);

async function oneLeaderEach(): Promise<void> {
  await eventually(async () => {
    expect(await cluster.leaders("scheduler")).toHaveLength(1);
    expect(await cluster.leaders("controller-manager")).toHaveLength(1);
  });
}

test("every role says what it is; of schedulers and controller-managers exactly one leads", async () => {
  for (const process of cluster.processes.values()) {
    const { role, ready, detail } = await process.describe();
    expect({ role, ready, detail }).toEqual({ role: process.name.replace(/-\d$/, ""), ready: true, detail: "" });
  }
  expect((await cluster.process("node-agent-1").describe()).instance).toBe("node-1");
  await oneLeaderEach();
});

test("a deployment is made, scaled and deleted, seen alike at both api-servers", async () => {
  await ok("create", "deployment", "web", "--image=x", "--replicas=4");
  await ok("rollout", "status", "deployment/web", "--timeout=60s");
  await ok("scale", "deployment/web", "--replicas=6");
  await ok("wait", "--for=jsonpath={.status.readyReplicas}=6", "deployment/web", "--timeout=60s");
  const nodes = await cluster.kubectl(2).ok(["get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}"]);
  expect(nodes.split(" ").sort()).toEqual([...Array(3).fill("node-1"), ...Array(3).fill("node-2")]);
  const [pod] = (await ok("get", "pods", "-o", "name")).split("\n");
  await cluster.kubectl(2).ok(["logs", pod!]);
  await ok("delete", "deployment", "web");
  await eventually(async () => expect(await ok("get", "replicasets,pods", "-o", "name")).toBe(""));
});

const ROLES = ["store", "api-server-1", "api-server-2", "scheduler", "controller-manager", "node-agent-1"];
for (const role of ROLES) {
  test(`F1: kill -9 of ${role} under a rollout is healed by a restart`, async () => {
    await oneLeaderEach();
    const isElected = role === "scheduler" || role === "controller-manager";
    const name = isElected ? (await cluster.leaders(role))[0]! : role;
    const kubectl = cluster.kubectl(role === "api-server-1" ? 2 : 1);
    await kubectl.ok(["create", "deployment", "during", "--image=v1", "--replicas=10"]);
    await cluster.process(name).end("SIGKILL");
    cluster.process(name).start();
    await eventually(() => kubectl.ok(["set", "image", "deployment/during", "*=v2"]));
    await kubectl.ok(["rollout", "status", "deployment/during", "--timeout=60s"]);
    const images = await kubectl.ok(["get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"]);
    expect(new Set(images.split(" ").filter((image) => image !== "v1"))).toEqual(new Set(["v2"]));
    await kubectl.ok(["delete", "deployment", "during"]);
    await eventually(async () => expect(await kubectl.ok(["get", "pods", "-o", "name"])).toBe(""));
    await cluster.ready();
  });
}

test("roles wait for a store and api-servers that are away, saying so, and go on when they are back", async () => {
  const names = ["store", "api-server-1", "api-server-2"];
  await Promise.all(names.map((name) => cluster.process(name).end("SIGKILL")));
  await eventually(async () => {
    const { ready, detail } = await cluster.process("scheduler-1").describe();
    expect({ ready, detail }).toMatchObject({ ready: false, detail: expect.stringContaining("no api-server answers") });
  });
  cluster.process("api-server-1").start();
  await eventually(async () => {
    const { ready, detail } = await cluster.process("api-server-1").describe();
    expect({ ready, detail }).toMatchObject({ ready: false, detail: expect.stringContaining("waiting for the store") });
  });
  for (const name of ["store", "api-server-2"]) cluster.process(name).start();
  // A leader that was without an API for longer than its deadline has ended itself.
  await cluster.ready();
  await ok("create", "deployment", "after", "--image=x", "--replicas=2");
  await ok("rollout", "status", "deployment/after", "--timeout=60s");
});

test("SIGTERM ends every role in order", async () => {
  const order = ["node-agent", "scheduler", "controller-manager", "api-server", "store"];
  for (const role of order) {
    const processes = [...cluster.processes.values()].filter((one) => one.name.startsWith(role));
    const codes = await Promise.all(processes.map((one) => one.end("SIGTERM")));
    expect(codes.map((code) => `${role} ${code}`)).toEqual(processes.map(() => `${role} 0`));
  }
});

test("SIGTERM ends a role that waits for others at its start", async () => {
  await Promise.all([...cluster.processes.values()].map((one) => one.end("SIGKILL")));
  for (const name of ["api-server-1", "scheduler-1", "controller-manager-1", "node-agent-1"]) {
    const process = cluster.process(name);
    process.start();
    await eventually(async () => expect((await process.describe()).ready).toBe(false));
    expect(`${name} ${await process.end("SIGTERM")}`).toBe(`${name} 0`);
  }
});
