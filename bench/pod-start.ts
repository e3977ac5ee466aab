import path from "node:path";
import type { ApiClient } from "../lib/client/api-client.ts";
import { silentLog } from "../lib/core/log.ts";
import type { Pod } from "../lib/gen/k8s/core/v1.ts";
import { nodes, pods, serviceAccounts } from "../lib/gen/k8s/resources.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { NodeAgent } from "../node-agent/agent.ts";
import { readMachine } from "../node-agent/node/machine.ts";
import { CriRuntime } from "../node-agent/runtime/cri/cri-runtime.ts";
import { skipping, whyNotContainers } from "../test/kit/requirements.ts";
import { type ControlPlane, startControlPlane } from "../test/node/control-plane.ts";
import { startTestContainerd, type TestContainerd } from "../test/node/test-containerd.ts";
import { CallTimes, withCallTimes } from "./call-times.ts";

const GOAL_MS = 100;
const NODE = "bench";

/** From a pod's creation to Running as a watch sees it, through all of Keelson, less the time that CRI calls took. */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  const reason = whyNotContainers();
  if (skipping("bench pod-start", reason)) return print(`pod-start/containerd: skipped (${reason})`);
  const containerd = await startTestContainerd("10.77.2.0/24");
  try {
    const plane = await startControlPlane(path.join(containerd.dir, "store"));
    try {
      await measure(print, containerd, plane, options.quick ? 5 : 20);
    } finally {
      await plane.stop();
    }
  } finally {
    await containerd.stop();
  }
}

async function measure(
  print: (line: string) => void,
  containerd: TestContainerd,
  plane: ControlPlane,
  count: number,
): Promise<void> {
  const times = new CallTimes();
  const runtime = new CriRuntime({ clock: realClock, log: silentLog }, { socketPath: containerd.socketPath });
  const agent = new NodeAgent(
    {
      api: plane.api,
      runtime: withCallTimes(runtime, times),
      machine: await readMachine(containerd.dir),
      clock: realClock,
      random: realRandom,
      log: silentLog,
    },
    {
      nodeName: NODE,
      nodeIp: "127.0.0.1",
      podCidr: "10.77.2.0/24",
      rootDir: path.join(containerd.dir, "agent"),
      podLogsDir: path.join(containerd.dir, "logs"),
      simulated: false,
      version: "v1.36.0",
    },
  );
  await agent.start();
  try {
    await untilUsable(plane.api);
    const all: number[] = [];
    const ours: number[] = [];
    // The first warms; pods come one after the other, and each is gone before the next.
    for (let n = 0; n <= count; n++) {
      const { tookMs, criMs } = await startOne(plane.api, containerd.image, `pod-${n}`, times);
      if (n === 0) continue;
      all.push(tookMs);
      ours.push(tookMs - criMs);
    }
    const total = `create to Running ${median(all).toFixed(0)} ms, of which CRI ${(median(all) - median(ours)).toFixed(0)} ms`;
    print(`pod-start/containerd: limit ${GOAL_MS} ms (ours ${median(ours).toFixed(1)} ms: ${total})`);
  } finally {
    await agent.stop();
  }
}

async function startOne(api: ApiClient, image: string, name: string, times: CallTimes) {
  const key = { namespace: "default", name };
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: key,
    spec: { containers: [{ name: "web", image }], terminationGracePeriodSeconds: 2 },
  };
  const { resourceVersion } = await api.list(pods, { namespace: "default" });
  const watching = untilSeen(api, name, resourceVersion, "Running");
  const startedMs = performance.now();
  const created = await api.create(pods, pod);
  const runningMs = await watching;
  const criMs = times.busyMs(startedMs, runningMs);
  const gone = untilSeen(api, name, created.metadata?.resourceVersion ?? "", "gone");
  await api.delete(pods, key);
  await gone;
  return { tookMs: runningMs - startedMs, criMs };
}

/** Resolves to the moment at which a watch tells it. */
async function untilSeen(
  api: ApiClient,
  name: string,
  resourceVersion: string,
  what: "Running" | "gone",
): Promise<number> {
  const stop = new AbortController();
  const events = api.watch(pods, { namespace: "default", resourceVersion, signal: stop.signal });
  for await (const batch of events) {
    for (const { type, object } of batch) {
      if (object.metadata?.name !== name) continue;
      const seen = what === "gone" ? type === "DELETED" : object.status?.phase === "Running";
      if (!seen) continue;
      stop.abort();
      return performance.now();
    }
  }
  throw new Error(`the watch ended before ${name} was ${what}`);
}

async function untilUsable(api: ApiClient): Promise<void> {
  for (;;) {
    const [node, account] = await Promise.allSettled([
      api.get(nodes, { name: NODE }),
      api.get(serviceAccounts, { namespace: "default", name: "default" }),
    ]);
    const conditions = node.status === "fulfilled" ? (node.value.status?.conditions ?? []) : [];
    const ready = conditions.some((condition) => condition.type === "Ready" && condition.status === "True");
    if (ready && account.status === "fulfilled") return;
    await realClock.sleep(20);
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
