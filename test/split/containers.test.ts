import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { keelson, TestCluster } from "../kit/keelson.ts";
import { runCommand } from "../kit/kubectl.ts";
import { skipping, whyNotContainers, whyNotLayout } from "../kit/requirements.ts";

const reason = whyNotContainers() || whyNotLayout("split");

/** Invariant 43 where the node agent is a process of its own. */
describe.skipIf(skipping("split/containers", reason))("containers in the split layout", () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.up(["--layout=split", "--runtime=containerd"]);
    const image = (await keelson(["image", "build-test", `--data-dir=${cluster.dataDir}`])).stdout.trim();
    await cluster.kubectl.ok(["run", "web", `--image=${image}`, "--port=8080"]);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  /** Of the pod, once it runs and answers: its address, and what changes when a container is started again. */
  function facts(): Promise<{ address: string; container: string }> {
    return eventually(async () => {
      const pod = JSON.parse(await cluster.kubectl.ok(["get", "pod", "web", "-o", "json"]));
      const [status] = pod.status.containerStatuses;
      expect(status.state.running).toBeDefined();
      const answer = await runCommand(["curl", "-sS", "--max-time", "2", `http://${pod.status.podIP}:8080/`]);
      expect(answer).toMatchObject({ code: 0, stdout: "web\n" });
      return { address: pod.status.podIP, container: `${status.containerID} ${status.restartCount}` };
    });
  }

  async function healthy(): Promise<void> {
    await eventually(async () => expect((await cluster.status()).ready).toBe(true));
    await eventually(async () => expect(await cluster.kubectl.ok(["get", "nodes"])).toMatch(/\bReady\b/));
  }

  test("go on while their node agent is killed and comes back", async () => {
    const before = await facts();
    const agent = (await cluster.status()).roles.find((role) => role.name === "node-agent");
    process.kill(agent!.pid!, "SIGKILL");
    await healthy();
    expect(await facts()).toEqual(before);
    expect(await cluster.kubectl.ok(["logs", "web"])).toContain("as web");
  });

  test("go on while the supervisor is killed and everything is started again", async () => {
    const before = await facts();
    process.kill((await cluster.status()).pid!, "SIGKILL");
    expect(await facts()).toEqual(before);
    await cluster.upAgain();
    await healthy();
    expect(await facts()).toEqual(before);
  });
});
