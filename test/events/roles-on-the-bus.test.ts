import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { freePorts } from "../kit/free-ports.ts";
import { NatsServer } from "../kit/nats.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { SplitCluster } from "../kit/split-cluster.ts";

/** Every role a process with its own identity, a nats-server that lets in only whom an api-server admits. */
describe.skipIf(skipping("roles-on-the-bus", whyNotPrograms(["nats-server"])))("roles on the bus", () => {
  let cluster: SplitCluster;
  let nats: NatsServer;
  beforeAll(async () => {
    const [port] = await freePorts(1);
    const flags = [`--nats=127.0.0.1:${port}`];
    const roles = ["api-server", "scheduler", "controller-manager", "node-agent"];
    // There is no nats-server yet: nobody waits for it.
    cluster = await SplitCluster.start({ flags: Object.fromEntries(roles.map((role) => [role, flags])) });
    nats = await NatsServer.start({ identity: path.join(cluster.folder, "pki/identities/nats"), port: port! });
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await nats?.stop();
  });

  /** Open watches of a resource at those api-servers that run. */
  async function watches(resource: string): Promise<number> {
    let count = 0;
    for (const copy of [1, 2] as const) {
      if (!cluster.process(`api-server-${copy}`).running) continue;
      const text = await cluster.kubectl(copy).ok(["get", "--raw", "/metrics"]);
      const line = `apiserver_longrunning_requests{verb="WATCH",resource="${resource}"} `;
      count += Number(
        text
          .split("\n")
          .find((one) => one.startsWith(line))
          ?.slice(line.length),
      );
    }
    return count;
  }

  /** Pods are followed by the scheduler, the controllers and each node. */
  const byBus = () =>
    eventually(async () => {
      expect(await cluster.leaders("api-server")).toHaveLength(1);
      expect([await watches("pods"), await watches("nodes")]).toEqual([0, 0]);
    });

  async function rollOut(name: string, copy: 1 | 2 = 1): Promise<void> {
    const kubectl = cluster.kubectl(copy);
    await eventually(() => kubectl.ok(["create", "deployment", name, "--image=v1", "--replicas=4"]));
    await kubectl.ok(["rollout", "status", `deployment/${name}`, "--timeout=60s"]);
    await kubectl.ok(["delete", "deployment", name]);
    await eventually(async () => expect(await kubectl.ok(["get", "pods", "-o", "name"])).toBe(""));
  }

  test("what they may hear by bus they hear by bus, and pods run", async () => {
    await byBus();
    await rollOut("web");
    expect(await watches("pods")).toBe(0);
    // Sensitive kinds never are.
    const denied = [...cluster.processes.values()].filter(({ log }) => log.includes("ermissions"));
    expect(denied.map(({ name }) => name)).toEqual([]);
  });

  test("F8: nats-server is killed: watches; it comes back: the bus", async () => {
    await nats.kill();
    await eventually(async () => expect(await watches("pods")).toBeGreaterThanOrEqual(4));
    await rollOut("without-nats");
    await nats.startAgain();
    await byBus();
    await rollOut("with-nats-again");
  });

  test("F1: kill -9 of the publisher: the other api-server publishes", async () => {
    await byBus();
    const [publisher] = await cluster.leaders("api-server");
    const copy = publisher === "api-server-1" ? 2 : 1;
    await cluster.process(publisher!).end("SIGKILL");
    await rollOut("without-publisher", copy);
    await byBus();
    expect(await cluster.leaders("api-server")).toEqual([`api-server-${copy}`]);
    cluster.process(publisher!).start();
    await cluster.ready();
    await byBus();
  });
});
