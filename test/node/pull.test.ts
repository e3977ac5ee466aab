import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MemoryApi } from "../../lib/client/testkit/memory-api.ts";
import { silentLog } from "../../lib/core/log.ts";
import type { Event, Pod, PodSpec } from "../../lib/gen/k8s/core/v1.ts";
import { coreEvents, pods, secrets } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { NodeAgent } from "../../node-agent/agent.ts";
import { readMachine } from "../../node-agent/node/machine.ts";
import { CriRuntime } from "../../node-agent/runtime/cri/cri-runtime.ts";
import { eventually } from "../kit/eventually.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";
import { startTestContainerd, type TestContainerd } from "./test-containerd.ts";

/** Images from a real registry over HTTP, which lives in the node's own network. */
describe.skipIf(skipping("node: pulling", whyNotContainers()))("pulling images", () => {
  let containerd: TestContainerd;
  let registry: ChildProcess;
  let port = 0;
  let agent: NodeAgent;
  let api: MemoryApi;
  let runtime: CriRuntime;
  beforeAll(async () => {
    containerd = await startTestContainerd("10.77.4.0/24");
    const script = fileURLToPath(new URL("./registry.ts", import.meta.url));
    registry = spawn("nsenter", [`--net=/run/netns/${containerd.namespace}`, process.execPath, script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const [printed] = (await once(registry.stdout!, "data")) as [Buffer];
    port = Number(printed.toString());
    api = new MemoryApi({ clock: realClock, random: realRandom });
    runtime = new CriRuntime({ clock: realClock, log: silentLog }, { socketPath: containerd.socketPath });
    const machine = await readMachine(containerd.dir);
    agent = new NodeAgent(
      { api, runtime, machine, clock: realClock, random: realRandom, log: silentLog },
      {
        nodeName: "n1",
        nodeIp: "127.0.0.1",
        podCidr: "10.77.4.0/24",
        rootDir: path.join(containerd.dir, "agent"),
        podLogsDir: path.join(containerd.dir, "logs"),
        simulated: false,
        version: "v1.36.0",
      },
    );
    await agent.start();
  });
  afterEach(async () => {
    for (const pod of (await api.list(pods, {})).items)
      await api.delete(pods, { namespace: "default", name: pod.metadata?.name ?? "" }, { gracePeriodSeconds: 0 });
    await eventually(async () => expect(await runtime.listPods()).toEqual([]));
  });
  afterAll(async () => {
    await agent?.stop();
    registry?.stdin?.end();
    await containerd?.stop();
  });

  const create = (name: string, image: string, more: Partial<PodSpec> = {}, imagePullPolicy = "IfNotPresent") => {
    const containers = [{ name: "main", image: `localhost:${port}/${image}`, imagePullPolicy }];
    const spec: PodSpec = { nodeName: "n1", restartPolicy: "Always", containers, ...more };
    const metadata = { name, namespace: "default" };
    return api.create<Pod>(pods, { apiVersion: "v1", kind: "Pod", metadata, spec, status: { phase: "Pending" } });
  };
  const until = (name: string, holds: (pod: Pod) => boolean) =>
    eventually(async () => {
      const pod = await api.get(pods, { namespace: "default", name });
      expect(holds(pod), JSON.stringify(pod.status?.containerStatuses)).toBe(true);
      return pod;
    });
  const isRunning = (pod: Pod) => pod.status?.phase === "Running";
  /** Whoever looks at the pod again soon sees the back-off in place of the error itself. */
  const cannotPull = (pod: Pod) =>
    ["ErrImagePull", "ImagePullBackOff"].includes(pod.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? "");
  const events = async (name: string) =>
    (await api.list<Event>(coreEvents, {})).items
      .filter((event) => event.involvedObject?.name === name)
      .map((event) => `${event.reason} ${event.message}`);

  test("one that is not here is pulled, once", async () => {
    await create("first", "web:1");
    const pod = await until("first", isRunning);
    expect(pod.status?.containerStatuses?.[0]?.imageID).toMatch(new RegExp(`^localhost:${port}/web@sha256:`));
    await eventually(async () => {
      const told = await events("first");
      expect(told).toContain(`Pulling Pulling image "localhost:${port}/web:1"`);
      expect(told.some((text) => /^Pulled Successfully pulled image .* Image size: \d+ bytes\.$/.test(text))).toBe(
        true,
      );
    });
    await create("second", "web:1");
    await until("second", isRunning);
    await eventually(async () => {
      const told = await events("second");
      expect(told.some((text) => text.includes("already present on machine"))).toBe(true);
      expect(told.some((text) => text.startsWith("Pulling"))).toBe(false);
    });
    await create("third", "web:1", {}, "Always");
    await until("third", isRunning);
    await eventually(async () => expect((await events("third")).some((text) => text.startsWith("Pulling"))).toBe(true));
  });

  test("one that the registry does not have: ErrImagePull, soon, and the registry's reason", async () => {
    const startedMs = performance.now();
    await create("none", "some/none:1");
    const pod = await until("none", cannotPull);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain("not found");
  });

  test("a private one needs the pod's secret", async () => {
    await create("stranger", "private/web:1");
    await until("stranger", cannotPull);
    const auths = { [`localhost:${port}`]: { username: "robot", password: "secret" } };
    const data = { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") };
    await api.create(secrets, { metadata: { name: "pull", namespace: "default" }, data });
    await create("friend", "private/web:1", { imagePullSecrets: [{ name: "pull" }] });
    await until("friend", isRunning);
    const said = JSON.stringify([await api.list(coreEvents, {}), await api.list(pods, {})]);
    // Invariant 53: nothing of the secret in what people see.
    expect(said).not.toContain("c2VjcmV0");
    expect(said).not.toContain('"secret"');
  });
});
