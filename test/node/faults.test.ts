import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MemoryApi } from "../../lib/client/testkit/memory-api.ts";
import { silentLog } from "../../lib/core/log.ts";
import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { pods } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { NodeAgent } from "../../node-agent/agent.ts";
import { readMachine } from "../../node-agent/node/machine.ts";
import { CriRuntime } from "../../node-agent/runtime/cri/cri-runtime.ts";
import type { PodState } from "../../node-agent/runtime/runtime.ts";
import { type Faults, withFaults } from "../../node-agent/testkit/faulty-runtime.ts";
import { eventually } from "../kit/eventually.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";
import { startTestContainerd, type TestContainerd } from "./test-containerd.ts";

/** F13: containerd dies at moments that nobody chose; the agent finds out what is, and nothing runs twice. */
describe.skipIf(skipping("node: containerd dies", whyNotContainers()))("containerd dies", () => {
  let containerd: TestContainerd;
  let api: MemoryApi;
  let agent: NodeAgent;
  let runtime: CriRuntime;
  let faults: Faults;
  let serial = 0;
  beforeAll(async () => {
    containerd = await startTestContainerd("10.77.3.0/24");
  });
  afterAll(() => containerd.stop());

  beforeEach(async () => {
    serial++;
    faults = { calls: [] };
    api = new MemoryApi({ clock: realClock, random: realRandom });
    runtime = new CriRuntime({ clock: realClock, log: silentLog }, { socketPath: containerd.socketPath });
    agent = new NodeAgent(
      {
        api,
        runtime: withFaults(runtime, faults),
        machine: await readMachine(containerd.dir),
        clock: realClock,
        random: realRandom,
        log: silentLog,
      },
      {
        nodeName: "n1",
        nodeIp: "127.0.0.1",
        podCidr: "10.77.3.0/24",
        rootDir: path.join(containerd.dir, "agent"),
        podLogsDir: path.join(containerd.dir, "logs"),
        simulated: false,
        version: "v1.36.0",
      },
    );
    await agent.start();
  });
  afterEach(async () => {
    await api.delete(pods, key(), { gracePeriodSeconds: 0 }).catch(() => undefined);
    await eventually(async () => expect(await runtime.listPods()).toEqual([]));
    await agent.stop();
  });

  const key = () => ({ namespace: "default", name: `pod-${serial}` });
  const script = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
  const container = (name: string): Container => ({ name, image: containerd.image, command: ["sh", "-c", script] });
  const create = (): Promise<Pod> => {
    const spec: Pod["spec"] = { nodeName: "n1", restartPolicy: "Always", containers: [container("a"), container("b")] };
    return api.create<Pod>(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: key(),
      spec,
      status: { phase: "Pending" },
    });
  };
  const untilReady = () =>
    eventually(async () => {
      const pod = await api.get(pods, key());
      const ready = pod.status?.containerStatuses?.map((each) => each.ready === true);
      expect(ready, JSON.stringify(pod.status)).toEqual([true, true]);
      return pod;
    });
  const attempts = (state: PodState) =>
    state.containers.map((each) => `${each.name} ${each.attempt} ${each.state}`).sort();

  test.each(["runSandbox", "createContainer", "startContainer"])(
    "invariants 43, 48: during %s, and comes back",
    async (method) => {
      let isKilled = false;
      faults.before = (called) => {
        if (called !== method || isKilled) return;
        isKilled = true;
        // The call is on its way when its end comes.
        setTimeout(() => containerd.kill(), 15);
      };
      const pod = await create();
      await eventually(() => expect(isKilled).toBe(true));
      await realClock.sleep(300);
      await containerd.restart();
      const ready = await untilReady();
      const state = await runtime.readPod(pod.metadata?.uid ?? "");
      expect(attempts(state).filter((each) => each.endsWith("running"))).toHaveLength(2);
      // containerd 1.6 refuses to start what was half started when it died ("task already exists"): that one never ran.
      const ended = state.containers.filter((each) => each.state !== "running");
      expect(ended.every((each) => each.reason === "StartError" && each.startedAtMs === 0)).toBe(true);
      const counts = ready.status?.containerStatuses?.map((each) => each.restartCount ?? 0) ?? [];
      expect(counts.reduce((sum, each) => sum + each, 0)).toBe(ended.length);
    },
  );

  test("invariant 43: while pods run, which go on untouched", async () => {
    const pod = await create();
    const before = await untilReady();
    containerd.kill();
    await realClock.sleep(1_500);
    expect((await api.get(pods, key())).status).toEqual(before.status);
    await containerd.restart();
    await eventually(async () => {
      const state = await runtime.readPod(pod.metadata?.uid ?? "");
      expect(attempts(state)).toEqual(["a 0 running", "b 0 running"]);
    });
    await realClock.sleep(1_500);
    expect((await api.get(pods, key())).status).toEqual(before.status);
    expect(faults.calls).not.toContain("stopContainer");
  });

  test("invariant 44: while a pod ends; the object goes only when its containers are gone", async () => {
    await create();
    await untilReady();
    faults.before = (called) => {
      if (called !== "stopContainer") return;
      faults.before = undefined;
      containerd.kill();
    };
    await api.delete(pods, key());
    await realClock.sleep(1_500);
    expect((await api.get(pods, key())).metadata?.deletionTimestamp).toBeDefined();
    await containerd.restart();
    await eventually(async () => {
      await expect(api.get(pods, key())).rejects.toMatchObject({ code: 404 });
    });
  });
});
