import { afterEach, describe, expect, test } from "vitest";
import type { Pod } from "../lib/gen/k8s/core/v1.ts";
import { pods } from "../lib/gen/k8s/resources.ts";
import { RuntimeError } from "./runtime/runtime.ts";
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

const KEY = { namespace: "default", name: "web" };
const isReady = (pod: Pod) => pod.status?.conditions?.find((each) => each.type === "Ready")?.status === "True";
const isTerminal = (pod: Pod | undefined) => pod?.status?.phase === "Succeeded" || pod?.status?.phase === "Failed";

/** Two containers after an init container: every kind of call is on the way to Ready. */
function full(pod: Pod): void {
  pod.spec!.initContainers = [{ name: "init", image: "example/init:1" }];
  pod.spec!.containers!.push({ name: "second", image: "example/web:1" });
}
const BEHAVIOURS = { init: { runMs: 300 } };

async function callsUntilReady(): Promise<number> {
  await started();
  await node.createPod("web", full, BEHAVIOURS);
  await node.until("web", isReady);
  await node.agent.stop();
  return node.faults.calls.length;
}

/** Kills the agent at its nth call, before or after the call took effect. */
function killAt(nth: number, moment: "before" | "after"): void {
  let count = 0;
  node.faults[moment] = () => {
    if (++count !== nth) return;
    node.kill();
    throw new Error("killed");
  };
}

describe("kill -9 of the agent", () => {
  test("invariant 43: at any call on the way up, every container is made and started exactly once", async () => {
    const total = await callsUntilReady();
    expect(total).toBeGreaterThan(15);
    for (const moment of ["before", "after"] as const) {
      for (let nth = 1; nth <= total; nth++) {
        await started();
        killAt(nth, moment);
        await node.createPod("web", full, BEHAVIOURS);
        await node.clock.advance(1_000);
        node.faults[moment] = undefined;
        await node.restart();
        const pod = await node.until("web", isReady);
        const made = (await node.containers()).map((each) => `${each.name} ${each.attempt} ${each.state}`);
        expect(made.sort(), `${moment} call ${nth}`).toEqual(["init 0 exited", "second 0 running", "web 0 running"]);
        expect(pod.status?.containerStatuses?.map((each) => each.restartCount ?? 0)).toEqual([0, 0]);
        expect(await node.real.listPods()).toHaveLength(1);
        await node.agent.stop();
      }
    }
  });

  test("invariants 43, 44: at any call on the way down, the object goes last and nothing is left", async () => {
    for (const moment of ["before", "after"] as const) {
      for (let nth = 1; nth <= 14; nth++) {
        await started();
        await node.createPod("web", full, BEHAVIOURS);
        await node.until("web", isReady);
        killAt(nth, moment);
        await node.api.delete(pods, KEY);
        await node.clock.advance(1_000);
        node.faults[moment] = undefined;
        const before = await node.getPod("web").catch(() => undefined);
        if (before === undefined)
          expect(
            (await node.containers()).every((each) => each.state === "exited"),
            `${moment} ${nth}`,
          ).toBe(true);
        await node.restart();
        await node.clock.advance(120_000);
        await expect(node.getPod("web"), `${moment} call ${nth}`).rejects.toMatchObject({ code: 404 });
        expect(await node.real.listPods(), `${moment} call ${nth}`).toEqual([]);
        await node.agent.stop();
      }
    }
  });

  test("invariant 43: an agent that restarts again and again restarts nothing", async () => {
    await started();
    await node.createPod("web", full, BEHAVIOURS);
    const before = await node.until("web", isReady);
    for (let i = 0; i < 5; i++) {
      await node.restart();
      await node.clock.advance(15_000);
    }
    const after = await node.getPod("web");
    expect(after.status).toEqual(before.status);
    expect(node.faults.calls.filter((call) => call === "startContainer")).toHaveLength(3);
    expect(node.faults.calls).not.toContain("stopContainer");
  });

  test("invariant 43: restartCount does not fall when the runtime's records are gone", async () => {
    await started();
    await node.createPod("web", () => {}, { web: [{ runMs: 10 }, { runMs: 10 }, {}] });
    await node.until("web", (pod) => pod.status?.containerStatuses?.[0]?.restartCount === 2);
    node.kill();
    const uid = (await node.getPod("web")).metadata?.uid ?? "";
    const { sandboxes } = await node.real.readPod(uid);
    for (const sandbox of sandboxes) await node.real.removeSandbox(sandbox.id);
    await node.restart();
    const pod = await node.until("web", isReady);
    expect(pod.status?.containerStatuses?.[0]?.restartCount).toBe(3);
  });
});

describe("what the API is told", () => {
  test("invariant 44: no terminal phase while anything runs, and phases never go back", async () => {
    await started();
    const phases: string[] = [];
    node.api.after = async (request) => {
      if (request.resource !== "pods" || request.subresource !== "status") return;
      const pod = await node.getPod("web");
      phases.push(pod.status?.phase ?? "");
      const running = (await node.containers()).some((each) => each.state === "running");
      expect(isTerminal(pod) && running).toBe(false);
    };
    const change = (pod: Pod) => {
      pod.spec!.restartPolicy = "Never";
      pod.spec!.containers!.push({ name: "slow", image: "example/web:1" });
    };
    await node.createPod("web", change, { web: { runMs: 1_000, exitCode: 1 }, slow: { runMs: 5_000 } });
    await node.until("web", isTerminal);
    expect([...new Set(phases)]).toEqual(["Pending", "Running", "Failed"]);
  });

  test("invariant 45: readiness stays over a restart until a probe says otherwise", async () => {
    await started();
    const probe = { exec: { command: ["true"] }, periodSeconds: 10, initialDelaySeconds: 20, failureThreshold: 1 };
    await node.createPod("web", (pod) => (pod.spec!.containers![0]!.readinessProbe = probe));
    const before = await node.until("web", isReady);
    const seen: boolean[] = [];
    node.api.after = async () => void seen.push(isReady(await node.getPod("web")));
    node.faults.before = (method) => {
      if (method === "exec") throw new RuntimeError("unavailable", "away");
    };
    await node.restart();
    await node.clock.advance(1_000);
    expect((await node.getPod("web")).status).toEqual(before.status);
    expect(seen).not.toContain(false);
  });

  test("invariant 45: the other way round, a probe that fails after the restart is believed", async () => {
    await started();
    const probe = { exec: { command: ["true"] }, periodSeconds: 10, failureThreshold: 1 };
    await node.createPod("web", (pod) => (pod.spec!.containers![0]!.readinessProbe = probe));
    await node.until("web", isReady);
    node.faults.before = (method) => {
      if (method === "exec") throw new RuntimeError("timeout", "too slow");
    };
    await node.restart();
    await node.until("web", (pod) => !isReady(pod));
  });
});

describe("pods that the API does not have", () => {
  test("invariant 46: they live on until the pods of the node are known, and then end with their grace", async () => {
    await started();
    await node.createPod("web", () => {}, { web: { ignoresTerm: true } });
    await node.until("web", isReady);
    node.kill();
    await node.api.delete(pods, KEY, { gracePeriodSeconds: 0 });
    let isAway = true;
    node.api.before = (request) => {
      if (isAway && request.resource === "pods") throw new Error("the API is away");
    };
    await node.restart();
    await node.clock.advance(60_000);
    expect((await node.containers()).map((each) => each.state)).toEqual(["running"]);
    isAway = false;
    await node.clock.advance(60_000);
    expect(await node.real.listPods()).toEqual([]);
  });
});

describe("grace", () => {
  test("invariant 47: SIGTERM first, SIGKILL when the grace is over and not before", async () => {
    await started();
    await node.createPod("web", (pod) => (pod.spec!.terminationGracePeriodSeconds = 20), {
      web: { ignoresTerm: true },
    });
    await node.until("web", isReady);
    const startMs = node.clock.monotonicMs();
    await node.api.delete(pods, KEY);
    await node.clock.advance(19_000);
    expect((await node.containers())[0]?.state).toBe("running");
    await node.clock.advanceUntil(() => false, 5_000);
    await expect(node.getPod("web")).rejects.toMatchObject({ code: 404 });
    expect(node.clock.monotonicMs() - startMs).toBeLessThan(25_000);
  });

  test("invariant 47: an agent that dies meanwhile begins the period anew", async () => {
    await started();
    await node.createPod("web", (pod) => (pod.spec!.terminationGracePeriodSeconds = 20), {
      web: { ignoresTerm: true },
    });
    await node.until("web", isReady);
    const graces: number[] = [];
    node.faults.before = (method, args) => void (method === "stopContainer" && graces.push(Number(args[1])));
    await node.api.delete(pods, KEY);
    await node.clock.advance(5_000);
    await node.restart();
    await node.clock.advance(60_000);
    expect(graces).toEqual([20, 20]);
  });

  test("invariant 47: a shorter grace takes effect at once, with two seconds at least", async () => {
    await started();
    await node.createPod("web", (pod) => (pod.spec!.terminationGracePeriodSeconds = 600), {
      web: { ignoresTerm: true },
    });
    await node.until("web", isReady);
    const graces: number[] = [];
    node.faults.before = (method, args) => void (method === "stopContainer" && graces.push(Number(args[1])));
    await node.api.delete(pods, KEY);
    await node.clock.advance(5_000);
    await node.api.delete(pods, KEY, { gracePeriodSeconds: 1 });
    await node.clock.advance(5_000);
    expect(graces).toEqual([600, 2]);
    await expect(node.getPod("web")).rejects.toMatchObject({ code: 404 });
  });

  test("a deletion does not wait for a pull", async () => {
    await started({ timings: { sandboxMs: 0, createMs: 0, startMs: 0, stopMs: 0, pullMs: 600_000 } });
    await node.createPod("web");
    await node.clock.advance(1_000);
    await node.api.delete(pods, KEY);
    await node.clock.advance(5_000);
    await expect(node.getPod("web")).rejects.toMatchObject({ code: 404 });
  });
});

describe("a runtime that does not answer", () => {
  test("invariant 48: whatever call is lost or times out after it happened, no attempt is made twice", async () => {
    const total = await callsUntilReady();
    for (let nth = 1; nth <= total; nth++) {
      await started();
      let count = 0;
      node.faults.after = (method) => {
        if (++count === nth && method !== "version") throw new RuntimeError("timeout", "no answer in time");
      };
      await node.createPod("web", full, BEHAVIOURS);
      await node.until("web", isReady);
      const made = (await node.containers()).map((each) => `${each.name} ${each.attempt}`);
      expect(made.sort(), `call ${nth}`).toEqual(["init 0", "second 0", "web 0"]);
      await node.agent.stop();
    }
  });

  test("F13: a runtime that is away kills nothing, and its pods go on when it is back", async () => {
    await started();
    await node.createPod("web");
    const before = await node.until("web", isReady);
    node.faults.before = () => {
      throw new RuntimeError("unavailable", "connection refused");
    };
    await node.clock.advance(600_000);
    expect((await node.getPod("web")).status?.phase).toBe("Running");
    node.faults.before = undefined;
    await node.clock.advance(120_000);
    expect((await node.getPod("web")).status?.containerStatuses).toEqual(before.status?.containerStatuses);
  });

  test("a sandbox that died is made again, with everything in it", async () => {
    await started();
    const phases = new Set<string | undefined>();
    node.api.after = async () => void phases.add((await node.getPod("web").catch(() => undefined))?.status?.phase);
    await node.createPod("web", full, BEHAVIOURS);
    const before = await node.until("web", isReady);
    const { sandboxes } = await node.real.readPod(before.metadata?.uid ?? "");
    phases.clear();
    await node.real.stopSandbox(sandboxes[0]!.id);
    const after = await node.until(
      "web",
      (pod) => isReady(pod) && pod.status?.containerStatuses?.[0]?.restartCount === 1,
    );
    expect([...phases]).toEqual(["Running"]);
    expect(after.status?.podIP).not.toBe(before.status?.podIP);
    expect(after.status?.containerStatuses?.map((each) => each.restartCount)).toEqual([1, 1]);
    expect(await node.events()).toContain(
      "Normal SandboxChanged Pod sandbox changed, it will be killed and re-created.",
    );
  });
});
