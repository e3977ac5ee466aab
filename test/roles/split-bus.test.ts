import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { SplitCluster } from "../kit/split-cluster.ts";

/** The same processes with a real nats-server, to which each is admitted by an api-server. */
let cluster: SplitCluster;
beforeAll(async () => {
  cluster = await SplitCluster.start({ bus: true });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

async function rollOut(name: string): Promise<void> {
  const kubectl = cluster.kubectl();
  await kubectl.ok(["create", "deployment", name, "--image=x", "--replicas=6"]);
  await kubectl.ok(["rollout", "status", `deployment/${name}`, "--timeout=60s"]);
  await kubectl.ok(["delete", "deployment", name]);
  await eventually(async () => expect(await kubectl.ok(["get", "pods", "-o", "name"])).toBe(""));
}

const onePublisher = () => eventually(async () => expect(await cluster.leaders("api-server")).toHaveLength(1));

test("one api-server publishes, and a deployment is made and deleted by what the others hear", async () => {
  await onePublisher();
  await rollOut("web");
});

test("F1: the publisher is killed: the other publishes, and nothing stands still", async () => {
  await onePublisher();
  const [publisher] = await cluster.leaders("api-server");
  const other = publisher === "api-server-1" ? 2 : 1;
  await cluster.process(publisher!).end("SIGKILL");
  const kubectl = cluster.kubectl(other);
  await kubectl.ok(["create", "deployment", "during", "--image=x", "--replicas=6"]);
  await kubectl.ok(["rollout", "status", "deployment/during", "--timeout=60s"]);
  await eventually(async () => expect(await cluster.leaders("api-server")).toEqual([`api-server-${other}`]));
  cluster.process(publisher!).start();
  await cluster.ready();
  await kubectl.ok(["delete", "deployment", "during"]);
});

test("F8: without nats-server everything goes on, also for a role that starts meanwhile", async () => {
  await cluster.nats.kill();
  await rollOut("without");
  await cluster.process("scheduler-1").end("SIGKILL");
  await cluster.process("scheduler-2").end("SIGKILL");
  cluster.process("scheduler-1").start();
  await rollOut("started");
  await cluster.nats.startAgain();
  cluster.process("scheduler-2").start();
  await cluster.ready();
  await onePublisher();
  await rollOut("again");
});
