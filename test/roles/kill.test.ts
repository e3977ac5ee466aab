import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { TestCluster } from "../kit/keelson.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.up(["--runtime=simulated", "--nodes=4"]);
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const ok = (...args: string[]) => cluster.kubectl.ok(args);

async function killAndUp(): Promise<void> {
  const { pid } = await cluster.status();
  expect(pid).not.toBeNull();
  process.kill(pid ?? 0, "SIGKILL");
  await eventually(async () => expect((await cluster.status()).pid).toBeNull());
  await cluster.upAgain();
}

test("F1: killed in the midst of rollouts, the cluster ends at the last state that was asked for", async () => {
  await ok("create", "deployment", "web", "--image=v0", "--replicas=40");
  await ok("rollout", "status", "deployment/web", "--timeout=60s");
  for (const image of ["v1", "v2", "v3"]) {
    await ok("set", "image", "deployment/web", `*=${image}`);
    await killAndUp();
  }
  await ok("rollout", "status", "deployment/web", "--timeout=60s");
  await eventually(async () => {
    const images = (await ok("get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}")).split(" ");
    expect(images).toEqual(Array(40).fill("v3"));
  });
  const nodes = (await ok("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}")).split(" ");
  for (const node of ["node-1", "node-2", "node-3", "node-4"])
    expect(nodes.filter((name) => name === node).length).toBeGreaterThan(5);
});

test("F1: killed while a namespace and a tree of owners go, both are gone in the end", async () => {
  await ok("create", "namespace", "team");
  await ok("create", "deployment", "x", "--image=x", "--replicas=20", "-n", "team");
  await ok("rollout", "status", "deployment/x", "-n", "team", "--timeout=60s");
  await ok("delete", "namespace", "team", "--wait=false");
  await ok("delete", "deployment", "web", "--wait=false");
  await killAndUp();
  await eventually(async () => {
    expect((await cluster.kubectl.run(["get", "namespace", "team"])).stderr).toContain("not found");
    expect(await ok("get", "pods,replicasets,deployments", "-A", "-o", "name")).toBe("");
  });
});
