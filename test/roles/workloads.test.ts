import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { TestCluster } from "../kit/keelson.ts";

/** What people do with kubectl that scheduler and controllers answer, on three simulated nodes. */
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.up(["--runtime=simulated", "--nodes=3"]);
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const ok = (...args: string[]) => cluster.kubectl.ok(args);
const names = async (...args: string[]) => (await ok("get", ...args, "-o", "name")).split("\n").filter(Boolean).sort();
const path = (kind: string, name: string, expression: string) =>
  ok("get", kind, name, "-o", `jsonpath={${expression}}`);

const bigPod = (name: string, spec: object) =>
  `--overrides=${JSON.stringify({ spec: { containers: [{ name, image: "x", ...spec }] } })}`;

test("a pod that fits nowhere says why in describe and get, and runs when it fits", async () => {
  await ok("taint", "node", "node-1", "a=b:NoSchedule");
  await ok("cordon", "node-2");
  await ok("run", "big", "--image=x", bigPod("big", { resources: { requests: { cpu: "500" } } }));
  const message =
    "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. " +
    "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.";
  await eventually(async () => {
    const described = await ok("describe", "pod", "big");
    expect(described).toContain(message);
    expect(described).toMatch(/Warning +FailedScheduling +\S+ +default-scheduler/);
  });
  const condition = await path("pod", "big", ".status.conditions[0]");
  expect(JSON.parse(condition)).toMatchObject({
    type: "PodScheduled",
    status: "False",
    reason: "Unschedulable",
    message,
  });
  await ok("taint", "node", "node-1", "a-");
  await ok("uncordon", "node-2");
  await ok("delete", "pod", "big");
  await ok("run", "small", "--image=x");
  await ok("wait", "--for=condition=Ready", "pod/small", "--timeout=20s");
  const node = await path("pod", "small", ".spec.nodeName");
  expect(await ok("describe", "pod", "small")).toContain(`Successfully assigned default/small to ${node}`);
  await ok("delete", "pod", "small");
});

test("a deployment rolls out, back, scales and spreads; its revisions are listed", async () => {
  await ok("create", "deployment", "web", "--image=one", "--replicas=6");
  await ok("rollout", "status", "deployment/web", "--timeout=30s");
  const nodes = (await ok("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}"))
    .split(" ")
    .sort();
  expect(nodes).toEqual(["node-1", "node-1", "node-2", "node-2", "node-3", "node-3"]);
  await ok("set", "image", "deployment/web", "one=two");
  await ok("rollout", "status", "deployment/web", "--timeout=30s");
  expect(await names("replicasets", "-l", "app=web")).toHaveLength(2);
  expect(await ok("rollout", "history", "deployment/web")).toMatch(/^1 .*\n2 /m);
  await ok("rollout", "undo", "deployment/web");
  await ok("rollout", "status", "deployment/web", "--timeout=30s");
  expect(await path("deployment", "web", ".spec.template.spec.containers[0].image")).toBe("one");
  expect(await names("replicasets", "-l", "app=web")).toHaveLength(2);
  await ok("scale", "deployment/web", "--replicas=2");
  await eventually(async () => expect(await names("pods", "-l", "app=web")).toHaveLength(2));
  await ok("wait", "--for=condition=Available", "deployment/web", "--timeout=20s");
  await ok("rollout", "restart", "deployment/web");
  await ok("rollout", "status", "deployment/web", "--timeout=30s");
});

test("deleting a deployment takes everything with it, or leaves it, or waits for it, as asked", async () => {
  await ok("delete", "deployment", "web");
  await eventually(async () => expect(await names("replicasets,pods", "-l", "app=web")).toEqual([]));
  await ok("create", "deployment", "kept", "--image=x", "--replicas=2");
  await ok("rollout", "status", "deployment/kept", "--timeout=30s");
  await ok("delete", "deployment", "kept", "--cascade=orphan");
  expect(await names("pods", "-l", "app=kept")).toHaveLength(2);
  await ok("create", "deployment", "kept", "--image=x", "--replicas=2");
  await ok("rollout", "status", "deployment/kept", "--timeout=30s");
  expect(await names("replicasets", "-l", "app=kept")).toHaveLength(1);
  await ok("delete", "deployment", "kept", "--cascade=foreground");
  expect(await names("replicasets,pods", "-l", "app=kept")).toEqual([]);
});

test("a namespace has its account and authorities, and goes with all that it holds", async () => {
  await ok("create", "namespace", "team");
  await eventually(async () =>
    expect(await names("serviceaccounts,configmaps", "-n", "team")).toEqual([
      "configmap/kube-root-ca.crt",
      "serviceaccount/default",
    ]),
  );
  await ok("delete", "configmap", "kube-root-ca.crt", "-n", "team");
  await eventually(async () => expect(await names("configmaps", "-n", "team")).toEqual(["configmap/kube-root-ca.crt"]));
  await ok("create", "deployment", "x", "--image=x", "--replicas=3", "-n", "team");
  await ok("create", "secret", "generic", "s", "--from-literal=a=b", "-n", "team");
  await ok("rollout", "status", "deployment/x", "-n", "team", "--timeout=30s");
  await ok("delete", "namespace", "team", "--timeout=30s");
  expect((await cluster.kubectl.run(["get", "namespace", "team"])).stderr).toContain('namespaces "team" not found');
  const left = await ok("get", "pods,replicasets,deployments,configmaps,secrets", "-A");
  expect(left).not.toContain("team");
});

test("draining a node moves its pods, and a pod in the way of nobody stays", async () => {
  await ok("create", "deployment", "moved", "--image=x", "--replicas=3");
  await ok("rollout", "status", "deployment/moved", "--timeout=30s");
  await ok("drain", "node-1", "--ignore-daemonsets", "--timeout=30s");
  expect(await ok("get", "node", "node-1", "-o", "jsonpath={.spec.taints[*].key}")).toContain(
    "node.kubernetes.io/unschedulable",
  );
  await ok("rollout", "status", "deployment/moved", "--timeout=30s");
  const nodes = await ok("get", "pods", "-l", "app=moved", "-o", "jsonpath={.items[*].spec.nodeName}");
  expect(nodes).not.toContain("node-1");
  await ok("uncordon", "node-1");
  await eventually(async () => expect(await path("node", "node-1", ".spec.taints")).toBe(""));
});

test("a disruption budget holds evictions back, and lets them go when others have come", async () => {
  await ok("create", "deployment", "guarded", "--image=x", "--replicas=3");
  await ok("create", "poddisruptionbudget", "guard", "--selector=app=guarded", "--min-available=3");
  await ok("rollout", "status", "deployment/guarded", "--timeout=30s");
  await eventually(async () => expect(await path("pdb", "guard", ".status.currentHealthy")).toBe("3"));
  const node = (await ok("get", "pods", "-l", "app=guarded", "-o", "jsonpath={.items[0].spec.nodeName}")).trim();
  const held = await cluster.kubectl.run(["drain", node, "--ignore-daemonsets", "--timeout=3s"]);
  expect(held.code).not.toBe(0);
  expect(held.stderr).toContain("Cannot evict pod as it would violate the pod's disruption budget");
  expect(await names("pods", "-l", "app=guarded")).toHaveLength(3);
  await ok("patch", "pdb", "guard", "--type=merge", "-p", JSON.stringify({ spec: { minAvailable: 1 } }));
  await ok("drain", node, "--ignore-daemonsets", "--timeout=40s");
  const nodes = await ok("get", "pods", "-l", "app=guarded", "-o", "jsonpath={.items[*].spec.nodeName}");
  expect(nodes).not.toContain(node);
  await ok("uncordon", node);
});

test("a more important pod takes the place of others, and they are told", async () => {
  await ok("delete", "deployment", "--all");
  await eventually(async () => expect(await names("pods")).toEqual([]));
  const cpu = Number((await path("node", "node-1", ".status.allocatable.cpu")).replace(/m$/, ""));
  expect(cpu).toBeGreaterThan(0);
  await ok("create", "priorityclass", "vip", "--value=1000");
  const whole = await path("node", "node-1", ".status.allocatable.cpu");
  const requests = { resources: { requests: { cpu: whole } } };
  for (const name of ["a", "b", "c"]) await ok("run", name, "--image=x", bigPod(name, requests));
  await ok("wait", "--for=condition=Ready", "pod/a", "pod/b", "pod/c", "--timeout=20s");
  const spec = { priorityClassName: "vip", containers: [{ name: "vip", image: "x", ...requests }] };
  await ok("run", "vip", "--image=x", `--overrides=${JSON.stringify({ spec })}`);
  await ok("wait", "--for=condition=Ready", "pod/vip", "--timeout=60s");
  expect(await names("pods")).toHaveLength(3);
  expect(await ok("get", "events", "--field-selector=reason=Preempted")).toMatch(/Preempted by pod \S+ on node node-/);
});
