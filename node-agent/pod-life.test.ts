import { afterEach, describe, expect, test } from "vitest";
import type { Pod } from "../lib/gen/k8s/core/v1.ts";
import { configMaps, pods } from "../lib/gen/k8s/resources.ts";
import { SimulatedNode } from "./testkit/simulated-node.ts";

let node: SimulatedNode;
afterEach(async () => {
  await node.agent.stop();
  expect(node.clock.pendingTimers).toBe(0);
});

async function started(options: ConstructorParameters<typeof SimulatedNode>[0] = {}): Promise<SimulatedNode> {
  node = new SimulatedNode(options);
  await node.start();
  return node;
}

const isRunning = (pod: Pod) => pod.status?.phase === "Running";
const statusOf = (pod: Pod, name = "web") => pod.status?.containerStatuses?.find((each) => each.name === name);

describe("restart policies", () => {
  test("Always: a crash loop backs off 10 s, 20 s …, and says so", async () => {
    await started();
    await node.createPod("web", () => {}, { web: { runMs: 100, exitCode: 3 } });
    const waiting = await node.until("web", (pod) => statusOf(pod)?.state?.waiting?.reason === "CrashLoopBackOff");
    const status = statusOf(waiting);
    expect(waiting.status?.phase).toBe("Running");
    expect(status?.restartCount).toBe(1);
    expect(status?.state?.waiting?.message).toBe(
      `back-off 10s restarting failed container=web pod=web_default(${waiting.metadata?.uid})`,
    );
    expect(status?.lastState?.terminated).toMatchObject({ exitCode: 3, reason: "Error" });
    const startedAtMs = node.clock.monotonicMs();
    await node.until("web", (pod) => statusOf(pod)?.restartCount === 2);
    expect(node.clock.monotonicMs() - startedAtMs).toBeGreaterThan(9_000);
    const thirdAtMs = node.clock.monotonicMs();
    await node.until("web", (pod) => statusOf(pod)?.restartCount === 3);
    expect(node.clock.monotonicMs() - thirdAtMs).toBeGreaterThan(19_000);
    expect((await node.events()).some((text) => text.startsWith("Warning BackOff Back-off restarting failed"))).toBe(
      true,
    );
  });

  test("OnFailure: runs again after a failure, Succeeded after success", async () => {
    await started();
    const behaviours = { web: [{ runMs: 50, exitCode: 1 }, { runMs: 50 }] };
    await node.createPod("job", (pod) => (pod.spec!.restartPolicy = "OnFailure"), behaviours);
    const done = await node.until("job", (pod) => pod.status?.phase === "Succeeded");
    expect(statusOf(done)).toMatchObject({ restartCount: 1, state: { terminated: { reason: "Completed" } } });
    const ready = done.status?.conditions?.find((each) => each.type === "Ready");
    expect(ready).toMatchObject({ status: "False", reason: "PodCompleted" });
  });

  test("Never: Failed with the exit code and what the container said", async () => {
    await started();
    const behaviours = { web: { runMs: 50, exitCode: 7, terminationMessage: "no luck" } };
    await node.createPod("job", (pod) => (pod.spec!.restartPolicy = "Never"), behaviours);
    const done = await node.until("job", (pod) => pod.status?.phase === "Failed");
    expect(statusOf(done)?.state?.terminated).toMatchObject({ exitCode: 7, reason: "Error", message: "no luck" });
    await node.restart();
    await node.clock.advance(5_000);
    expect((await node.getPod("job")).status).toEqual(done.status);
  });
});

describe("init containers", () => {
  const withInit = (pod: Pod) => {
    pod.spec!.initContainers = [
      { name: "one", image: "example/init:1" },
      { name: "two", image: "example/init:1" },
    ];
  };

  test("run one after the other before the others", async () => {
    await started();
    await node.createPod("web", withInit, { one: { runMs: 1_000 }, two: { runMs: 1_000 } });
    const first = await node.until(
      "web",
      (pod) => pod.status?.initContainerStatuses?.[0]?.state?.running !== undefined,
    );
    expect(first.status?.phase).toBe("Pending");
    expect(first.status?.initContainerStatuses?.[1]?.state?.waiting?.reason).toBe("PodInitializing");
    expect(statusOf(first)?.state?.waiting?.reason).toBe("PodInitializing");
    expect(first.status?.conditions?.find((each) => each.type === "Initialized")).toMatchObject({
      status: "False",
      reason: "ContainersNotInitialized",
      message: "containers with incomplete status: [one two]",
    });
    const running = await node.until("web", isRunning);
    expect(running.status?.initContainerStatuses?.map((each) => each.ready)).toEqual([true, true]);
    expect(running.status?.conditions?.find((each) => each.type === "Initialized")?.status).toBe("True");
  });

  test("one that fails for good fails the pod, and nothing else starts", async () => {
    await started();
    const change = (pod: Pod) => {
      withInit(pod);
      pod.spec!.restartPolicy = "Never";
    };
    await node.createPod("web", change, { one: { runMs: 10, exitCode: 1 } });
    const failed = await node.until("web", (pod) => pod.status?.phase === "Failed");
    expect(failed.status?.initContainerStatuses?.[1]?.state?.terminated).toBeUndefined();
    expect(statusOf(failed)?.containerID).toBeUndefined();
  });

  test("a sidecar goes on beside the app and ends after it (KEP-753)", async () => {
    await started();
    const change = (pod: Pod) => {
      pod.spec!.initContainers = [{ name: "side", image: "example/side:1", restartPolicy: "Always" }];
      pod.spec!.restartPolicy = "Never";
    };
    await node.createPod("job", change, { web: { runMs: 2_000 } });
    const running = await node.until("job", isRunning);
    expect(running.status?.initContainerStatuses?.[0]).toMatchObject({ ready: true, started: true });
    const done = await node.until("job", (pod) => pod.status?.phase === "Succeeded");
    const side = done.status?.initContainerStatuses?.[0]?.state?.terminated;
    expect(Date.parse(side?.finishedAt ?? "")).toBeGreaterThanOrEqual(
      Date.parse(statusOf(done)?.state?.terminated?.finishedAt ?? ""),
    );
  });
});

describe("what keeps a container from starting", () => {
  test("an image that cannot be pulled: ErrImagePull, then ImagePullBackOff, then another try", async () => {
    let there = false;
    await started({ hasImage: () => there });
    await node.createPod("web");
    const failed = await node.until("web", (pod) => statusOf(pod)?.state?.waiting?.reason === "ErrImagePull");
    expect(statusOf(failed)?.state?.waiting?.message).toContain("not found");
    // Anything that wakes the pod meanwhile meets the back-off.
    await node.api.patch(
      pods,
      { namespace: "default", name: "web" },
      { type: "merge", body: { metadata: { labels: { a: "b" } } } },
    );
    const backing = await node.until("web", (pod) => statusOf(pod)?.state?.waiting?.reason === "ImagePullBackOff");
    expect(statusOf(backing)?.state?.waiting?.message).toContain('Back-off pulling image "example/web:1"');
    there = true;
    await node.until("web", isRunning);
    expect(await node.events()).toEqual(
      expect.arrayContaining(["Warning Failed Error: ErrImagePull", "Warning Failed Error: ImagePullBackOff"]),
    );
    const reasons = (await node.events()).map((text) => text.split(" ")[1]);
    expect(reasons).toEqual(expect.arrayContaining(["Pulling", "Failed", "BackOff", "Pulled", "Created", "Started"]));
  });

  test("Never pulls: ErrImageNeverPull", async () => {
    await started();
    await node.createPod("web", (pod) => (pod.spec!.containers![0]!.imagePullPolicy = "Never"));
    const failed = await node.until(
      "web",
      (pod) =>
        statusOf(pod)?.state?.waiting !== undefined && statusOf(pod)?.state?.waiting?.reason !== "ContainerCreating",
    );
    expect(statusOf(failed)?.state?.waiting?.reason).toBe("ErrImageNeverPull");
  });

  test("a missing ConfigMap: CreateContainerConfigError until it is there", async () => {
    await started();
    const change = (pod: Pod) => {
      const from = { configMapKeyRef: { name: "settings", key: "mode" } };
      pod.spec!.containers![0]!.env = [{ name: "MODE", valueFrom: from }];
    };
    await node.createPod("web", change);
    const failed = await node.until(
      "web",
      (pod) => statusOf(pod)?.state?.waiting?.reason === "CreateContainerConfigError",
    );
    expect(statusOf(failed)?.state?.waiting?.message).toBe('configmap "settings" not found');
    await node.api.create(configMaps, { metadata: { name: "settings", namespace: "default" }, data: { mode: "x" } });
    await node.until("web", isRunning);
  });

  test("a command that cannot be run: RunContainerError, then CrashLoopBackOff", async () => {
    await started();
    await node.createPod("web", () => {}, { web: { startError: "exec: no such file" } });
    const failed = await node.until("web", (pod) => statusOf(pod)?.state?.waiting?.reason === "CrashLoopBackOff");
    expect(statusOf(failed)?.lastState?.terminated).toMatchObject({ exitCode: 128, reason: "StartError" });
    expect(await node.events()).toContain("Warning Failed Error: exec: no such file");
  });
});

describe("probes", () => {
  const probe = { exec: { command: ["true"] }, periodSeconds: 5, failureThreshold: 2 };

  test("liveness: a container that fails is killed and started again", async () => {
    await started();
    const change = (pod: Pod) => (pod.spec!.containers![0]!.livenessProbe = probe);
    await node.createPod("web", change, { web: [{ exec: { exitCode: 1, stdout: "sick" } }, {}] });
    const again = await node.until("web", (pod) => statusOf(pod)?.restartCount === 1);
    expect(statusOf(again)?.lastState?.terminated).toBeDefined();
    const texts = await node.events();
    expect(texts).toContain("Warning Unhealthy Liveness probe failed: sick");
    expect(texts).toContain("Normal Killing Container web failed liveness probe, will be restarted");
  });

  test("readiness: not Ready until it passes", async () => {
    await started();
    const change = (pod: Pod) => (pod.spec!.containers![0]!.readinessProbe = { ...probe, initialDelaySeconds: 3 });
    await node.createPod("web", change);
    const running = await node.until("web", isRunning);
    expect(statusOf(running)).toMatchObject({ started: true });
    expect(statusOf(running)?.ready).toBeUndefined();
    expect(running.status?.conditions?.find((each) => each.type === "Ready")).toMatchObject({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [web]",
    });
    const ready = await node.until("web", (pod) => statusOf(pod)?.ready === true);
    expect(Date.parse(ready.status?.conditions?.find((each) => each.type === "Ready")?.lastTransitionTime ?? "")).toBe(
      Date.parse(running.status?.startTime ?? "") + 3_000,
    );
  });
});
