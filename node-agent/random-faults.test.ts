import { expect, test } from "vitest";
import { SeededRandom } from "../lib/core/seeded-random.ts";
import type { Pod } from "../lib/gen/k8s/core/v1.ts";
import { pods } from "../lib/gen/k8s/resources.ts";
import { RuntimeError } from "./runtime/runtime.ts";
import { SimulatedNode } from "./testkit/simulated-node.ts";

const SEEDS = 12;
const FAULTY_MS = 180_000;
const PHASES = ["Pending", "Running", "Succeeded", "Failed"];

/** One pod of each way of life; every container's end is a function of its attempt. */
const LIVES: Record<string, { change: (pod: Pod) => void; behaviours: Parameters<SimulatedNode["createPod"]>[2] }> = {
  serves: { change: () => {}, behaviours: {} },
  crashes: { change: () => {}, behaviours: { web: [{ runMs: 500, exitCode: 1 }, { runMs: 3_000, exitCode: 2 }, {}] } },
  once: { change: (pod) => (pod.spec!.restartPolicy = "Never"), behaviours: { web: { runMs: 4_000, exitCode: 3 } } },
  job: {
    change: (pod) => (pod.spec!.restartPolicy = "OnFailure"),
    behaviours: { web: [{ runMs: 1_000, exitCode: 1 }, { runMs: 2_000 }] },
  },
  staged: {
    change: (pod) => {
      pod.spec!.initContainers = [
        { name: "one", image: "example/init:1" },
        { name: "side", image: "example/side:1", restartPolicy: "Always" },
        { name: "two", image: "example/init:1" },
      ];
    },
    behaviours: { one: { runMs: 700 }, two: [{ runMs: 200, exitCode: 1 }, { runMs: 300 }] },
  },
  leaves: { change: () => {}, behaviours: { web: { stopMs: 3_000 } } },
};

/** Watches every write to the API and every call to the runtime for what must never be. */
class Monitor {
  readonly #node: SimulatedNode;
  readonly #last = new Map<string, { phase: number; restarts: Map<string, number> }>();
  readonly #started = new Set<string>();

  constructor(node: SimulatedNode) {
    this.#node = node;
  }

  async check(): Promise<void> {
    const { items } = await this.#node.api.list<Pod>(pods, {});
    const containers = await this.#node.containers();
    for (const pod of items) {
      const uid = pod.metadata?.uid ?? "";
      const phase = PHASES.indexOf(pod.status?.phase ?? "Pending");
      const last = this.#last.get(uid) ?? { phase: 0, restarts: new Map() };
      expect(phase, `invariant 44: the phase of ${pod.metadata?.name} goes back`).toBeGreaterThanOrEqual(last.phase);
      const running = containers.filter(
        (each) => each.labels["io.kubernetes.pod.uid"] === uid && each.state === "running",
      );
      if (phase >= 2) expect(running, `invariant 44: ${pod.metadata?.name} ended while it runs`).toEqual([]);
      for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
        const before = last.restarts.get(status.name ?? "") ?? 0;
        const now = Number(status.restartCount ?? 0);
        expect(now, `invariant 43: restartCount of ${pod.metadata?.name}/${status.name} falls`).toBeGreaterThanOrEqual(
          before,
        );
        last.restarts.set(status.name ?? "", now);
      }
      this.#last.set(uid, { phase, restarts: last.restarts });
    }
    const names = containers.map((each) => `${each.labels["io.kubernetes.pod.uid"]} ${each.name}`);
    const alive = names.filter((_name, n) => containers[n]?.state === "running");
    expect(new Set(alive).size, "invariant 43: a container runs twice").toBe(alive.length);
  }

  /** Invariant 48. */
  started(id: string): void {
    expect(this.#started.has(id), `container ${id} is started twice`).toBe(false);
    this.#started.add(id);
  }
}

test.each(Array.from({ length: SEEDS }, (_, n) => n + 1))(
  "seed %i: calls get lost, the agent dies, and all ends well",
  async (seed) => {
    const random = new SeededRandom(seed);
    const node = new SimulatedNode({ timings: { sandboxMs: 100, createMs: 30, startMs: 40, stopMs: 50, pullMs: 200 } });
    const monitor = new Monitor(node);
    const start = node.real.startContainer.bind(node.real);
    node.real.startContainer = async (id) => {
      await start(id);
      monitor.started(id);
    };
    let faultRate = 0.15;
    const lose = (): void => {
      if (random.float() >= faultRate) return;
      if (random.float() < 0.1) node.kill();
      throw new RuntimeError(random.float() < 0.5 ? "timeout" : "unavailable", "lost");
    };
    node.faults.before = lose;
    node.faults.after = lose;
    node.api.before = () => {
      if (random.float() < faultRate / 2) throw new Error("the API is away");
    };
    let restarting: Promise<unknown> | undefined;
    const restart = (): void => {
      restarting ??= node.replace().finally(() => {
        restarting = undefined;
      });
    };
    void node.start();
    for (const [name, life] of Object.entries(LIVES))
      await retried(() => node.createPod(name, life.change, life.behaviours));
    for (let ms = 0; ms < FAULTY_MS; ms += 1_000) {
      await node.clock.advance(1_000);
      await retried(() => monitor.check());
      if (ms === 60_000) await retried(() => node.api.delete(pods, { namespace: "default", name: "leaves" }));
      if (random.float() < 0.05) restart();
    }
    faultRate = 0;
    // Whatever was under way comes to its end before the last, sound agent begins.
    while (restarting !== undefined) await node.clock.advance(1_000);
    restart();
    await node.clock.advance(600_000);
    await monitor.check();
    const { items } = await node.api.list<Pod>(pods, {});
    const ends = Object.fromEntries(items.map((pod) => [pod.metadata?.name, pod.status?.phase]));
    expect(ends).toEqual({
      serves: "Running",
      crashes: "Running",
      once: "Failed",
      job: "Succeeded",
      staged: "Running",
    });
    const ready = items.filter((pod) => pod.status?.phase === "Running").map((pod) => pod.status?.conditions);
    for (const conditions of ready) expect(conditions?.find((each) => each.type === "Ready")?.status).toBe("True");
    const uids = new Set(items.map((pod) => pod.metadata?.uid));
    expect((await node.real.listPods()).filter((each) => !uids.has(each.uid))).toEqual([]);
    await node.agent.stop();
    expect(node.clock.pendingTimers).toBe(0);
  },
);

/** The test's own calls go to the same API, which may be away. */
async function retried<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "the API is away") throw error;
    }
  }
}
