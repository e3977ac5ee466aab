import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Event, Node, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { eventually } from "../kit/eventually.ts";
import { skipping, whyNotContainers, whyNotPrograms } from "../kit/requirements.ts";
import { documentedCommand } from "./documented.ts";
import { DocumentedCluster, leftovers } from "./documented-cluster.ts";
import type { Machine } from "./machine.ts";

const reason = whyNotContainers() || whyNotPrograms(["haproxy", "nats-server"]);
const LEADERS = { scheduler: "kube-scheduler", "controller-manager": "kube-controller-manager" } as const;

/**
 * The cluster that docs/operations.md describes, on machines that see each other by their network alone. F10 by cut cables: packets
 * are lost, and nobody hears of it but by silence.
 */
describe.skipIf(skipping("machines", reason))("a cluster on machines of one's own", () => {
  let cluster: DocumentedCluster;
  let image = "";
  beforeAll(async () => {
    cluster = await DocumentedCluster.start();
  });
  afterEach(async (context) => {
    if (cluster === undefined) return;
    if (context.task.result?.state === "fail") process.stderr.write(`${cluster.logs()}\n`);
    for (const machine of Object.values(cluster.machines)) await cluster.network.heal(machine);
    await cluster.ready();
  });
  afterAll(async () => {
    if (cluster === undefined) return;
    await cluster[Symbol.asyncDispose]();
    expect(await leftovers(cluster.network)).toEqual([]);
  });

  /** One call may be lost with the api-server that it went to: people call again. */
  const again = (args: readonly string[]) => eventually(() => cluster.kubectl.ok(args), { timeoutMs: 60_000 });
  const json = async (args: readonly string[]) => JSON.parse(await again([...args, "-o", "json"]));

  const create = async (name: string, replicas: number) =>
    eventually(async () => {
      const { code, stderr } = await cluster.kubectl.run([
        "create",
        "deployment",
        name,
        `--image=${image}`,
        `--replicas=${replicas}`,
      ]);
      if (code !== 0 && !stderr.includes("already exists")) throw new Error(stderr);
    });
  const allReady = (name: string, replicas: number) =>
    eventually(
      async () => {
        const { status } = await json(["get", "deployment", name]);
        expect(status).toMatchObject({ replicas, readyReplicas: replicas });
      },
      { timeoutMs: 60_000 },
    );
  /** A leader that wrote after it was overtaken would have made pods that the next one has to take away. */
  const nothingWasTakenBack = async () => {
    const { items } = (await json(["get", "events", "--field-selector=reason=SuccessfulDelete"])) as { items: Event[] };
    const messages = items.map(({ involvedObject, message }) => `${involvedObject?.name}: ${message}`);
    expect(messages.filter((message) => !message.startsWith("web-"))).toEqual([]);
  };

  const lease = async (role: keyof typeof LEADERS) => {
    const { spec } = await json(["get", "lease", "-n", "kube-system", LEADERS[role]]);
    return { holder: spec.holderIdentity as string, transitions: spec.leaseTransitions as number };
  };

  /** Both leaders on this machine, by stopping the other's, which hand over. */
  async function makeLead(machine: Machine, other: Machine): Promise<void> {
    for (const role of Object.keys(LEADERS)) {
      await other.process(role).stop("SIGTERM");
      await eventually(async () => expect(await machine.process(role).describe()).toMatchObject({ leading: true }));
      other.process(role).start();
    }
    await cluster.ready();
  }

  test("a node joins by a token, and both nodes are Ready", async () => {
    await cluster.join();
    await eventually(() =>
      cluster.kubectl.ok(["wait", "--for=condition=Ready", "nodes/worker-1", "nodes/worker-2", "--timeout=60s"]),
    );
    const addresses = await cluster.kubectl.ok([
      "get",
      "nodes",
      "-o",
      "jsonpath={range .items[*]}{.metadata.name}={.status.addresses[0].address} {end}",
    ]);
    expect(addresses).toBe("worker-1=10.0.0.11 worker-2=10.0.0.12 ");
  });

  test("pods run on both, and kubectl gets their logs from the nodes", async () => {
    const { worker1, worker2 } = cluster.machines;
    image = await cluster.loadImage(worker1);
    await cluster.loadImage(worker2);
    await cluster.kubectl.ok(["create", "deployment", "web", `--image=${image}`, "--replicas=4"]);
    await cluster.kubectl.ok(["rollout", "status", "deployment/web", "--timeout=60s"], { timeoutMs: 70_000 });
    const { items } = JSON.parse(await cluster.kubectl.ok(["get", "pods", "-l", "app=web", "-o", "json"]));
    const nodes = items.map((pod: Pod) => pod.spec?.nodeName);
    expect([...new Set(nodes)].sort()).toEqual(["worker-1", "worker-2"]);
    for (const pod of items) expect(await cluster.kubectl.ok(["logs", pod.metadata.name])).toContain(pod.metadata.name);
    await cluster.kubectl.ok(["scale", "deployment", "web", "--replicas=3"]);
    await allReady("web", 3);
  });

  test("pods reach pods of another node and what is outside by the documented routes", async () => {
    await cluster.route();
    const { items } = (await json(["get", "pods", "-l", "app=web"])) as { items: Pod[] };
    const far = items.find((pod) => pod.spec?.nodeName === "worker-2" && pod.status?.podIP);
    const near = `wget -qO- http://${far?.status?.podIP}:8080/`;
    const outside = "nc -w 3 10.0.0.10 443 </dev/null && echo outside";
    const spec = { nodeName: "worker-1", restartPolicy: "Never" };
    await cluster.kubectl.ok([
      ...["run", "probe", `--image=${image}`, "--restart=Never", `--overrides=${JSON.stringify({ spec })}`],
      ...["--command", "--", "sh", "-c", `${near}; ${outside}`],
    ]);
    await eventually(async () => expect((await json(["get", "pod", "probe"])).status.phase).toBe("Succeeded"));
    expect(await cluster.kubectl.ok(["logs", "probe"])).toBe(`${far?.metadata?.name}\noutside\n`);
    await cluster.kubectl.ok(["delete", "deployment/web", "pod/probe", "--wait"]);
    await eventually(async () => expect((await json(["get", "pods"])).items).toEqual([]));
  });

  test("what cannot be a node of this cluster is refused before anything is touched", async () => {
    const { worker2 } = cluster.machines;
    const agent = documentedCommand("keelson run node-agent", ["worker-2"]);
    const refusal = async (from: string, to: string) =>
      (await worker2.typed(agent.map((word) => word.replace(from, to)))).stderr;
    expect(await refusal("--node-name=worker-2", "--node-name=worker-3")).toContain("is of node worker-2");
    expect(await refusal("10.64.2.0/24", "10.0.0.0/16")).toContain("10.0.0.0/16 has 10.0.0.12 in it");
    expect(
      await worker2.typed(["keelson", "image", "load", "no.tar", "--data-dir=/var/lib/keelson/node"]),
    ).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no.tar cannot be read"),
    });
  });

  test("a control-plane machine that leads is cut off: the other leads, and the first writes nothing when it is back", async () => {
    const { first, second } = cluster.machines;
    await makeLead(first, second);
    const before = { scheduler: await lease("scheduler"), "controller-manager": await lease("controller-manager") };
    await create("growing", 2);
    await allReady("growing", 2);
    await again(["scale", "deployment", "growing", "--replicas=8"]);
    await cluster.network.cut(first);
    await create("during", 3);
    await Promise.all([allReady("growing", 8), allReady("during", 3)]);
    const roles = ["scheduler", "controller-manager"] as const;
    for (const role of roles) {
      expect(await lease(role)).toMatchObject({ transitions: before[role].transitions + 1 });
      await eventually(() => expect(first.process(role).exitCodes).toContain(75));
    }
    const during = { scheduler: await lease("scheduler"), "controller-manager": await lease("controller-manager") };
    await cluster.network.heal(first);
    await cluster.ready();
    for (const role of roles) expect(await lease(role)).toEqual(during[role]);
    const seenByFirst = await cluster.kubectl.ok([
      "get",
      "deployments",
      "-o",
      "name",
      "--server=https://10.0.0.1:6443",
    ]);
    expect(seenByFirst).toBe("deployment.apps/during\ndeployment.apps/growing\n");
    await nothingWasTakenBack();
    await again(["delete", "deployment", "during", "growing"]);
  });

  test("a cable that carries one way only takes an api-server out, until it is whole", async () => {
    const { first } = cluster.machines;
    const isReady = (ready: boolean) =>
      eventually(async () => expect(await first.process("api-server").describe()).toMatchObject({ ready }));
    for (const way of ["out", "in"] as const) {
      await cluster.network.cut(first, way);
      await isReady(false);
      await create(`without-${way}`, 1);
      await allReady(`without-${way}`, 1);
      await cluster.network.heal(first);
      await isReady(true);
    }
    // Who asks what it cannot know is told so, and not that something is broken.
    expect(cluster.logs(Number.POSITIVE_INFINITY)).not.toContain("Internal error occurred");
    await again(["delete", "deployment", "without-out", "without-in"]);
  });

  test("a link that comes and goes: everything is done once, and in the end everybody is ready", async () => {
    const { first } = cluster.machines;
    const rollOut = create("flapping", 6).then(() => allReady("flapping", 6));
    for (let times = 0; times < 6; times++) {
      await cluster.network.cut(first);
      await sleep(1_500);
      await cluster.network.heal(first);
      await sleep(700);
    }
    await rollOut;
    await cluster.ready();
    await nothingWasTakenBack();
    for (const role of Object.keys(LEADERS)) {
      await eventually(async () => {
        const both = await Promise.all([first, cluster.machines.second].map((one) => one.process(role).describe()));
        expect(both.filter(({ leading }) => leading)).toHaveLength(1);
      });
    }
    await again(["delete", "deployment", "flapping"]);
  });

  test("43: a node that is cut off is Unknown and tainted, its pods run on, and it is Ready again without a restart", async () => {
    const { worker1 } = cluster.machines;
    await create("staying", 4);
    await allReady("staying", 4);
    const facts = async () => {
      const { items } = (await json(["get", "pods", "-l", "app=staying"])) as { items: Pod[] };
      const here = items.filter((pod) => pod.spec?.nodeName === "worker-1");
      return here.map(({ metadata, status }) => ({
        name: metadata?.name,
        address: status?.podIP ?? "",
        container: status?.containerStatuses?.map(({ containerID, restartCount }) => `${containerID} ${restartCount}`),
      }));
    };
    const node = async () => {
      const { spec, status } = (await json(["get", "node", "worker-1"])) as Node;
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      const taints = (spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).sort();
      return { status: ready?.status, reason: ready?.reason, taints };
    };
    const before = await facts();
    expect(before).not.toEqual([]);
    await cluster.network.cut(worker1);
    const unreachable = "node.kubernetes.io/unreachable";
    await eventually(
      async () =>
        expect(await node()).toEqual({
          status: "Unknown",
          reason: "NodeStatusUnknown",
          taints: [`${unreachable}:NoExecute`, `${unreachable}:NoSchedule`],
        }),
      { timeoutMs: 90_000 },
    );
    for (const { name, address } of before)
      expect(await worker1.type(["curl", "-sS", "--max-time", "5", `http://${address}:8080/`])).toBe(`${name}\n`);
    await cluster.network.heal(worker1);
    await eventually(async () => expect(await node()).toEqual({ status: "True", reason: "KubeletReady", taints: [] }), {
      timeoutMs: 60_000,
    });
    expect(await facts()).toEqual(before);
    await allReady("staying", 4);
    expect(await cluster.kubectl.ok(["logs", before[0]?.name ?? ""])).toContain(before[0]?.name);
  }, 180_000);
});
