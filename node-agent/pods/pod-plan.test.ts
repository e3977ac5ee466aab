import { describe, expect, test } from "vitest";
import type { Container, Pod, PodSpec } from "../../lib/gen/k8s/core/v1.ts";
import { ANNOTATIONS, type ContainerState, type PodState, type SandboxState } from "../runtime/runtime.ts";
import { containerHash } from "./container-spec.ts";
import { type PodPlan, type ProbeVerdicts, planPod } from "./pod-plan.ts";

const SIDE: Container = { name: "side", image: "i", restartPolicy: "Always" };
const well: ProbeVerdicts = { started: () => true, condemned: () => undefined };

function podOf(spec: PodSpec): Pod {
  return { metadata: { name: "p", namespace: "n", uid: "u" }, spec: { restartPolicy: "Always", ...spec } };
}

const sandbox = (attempt: number, ready = true, ips = ["10.0.0.2"]): SandboxState => ({
  id: `s${attempt}`,
  attempt,
  ready,
  createdAtMs: attempt,
  ips: ready ? ips : [],
  labels: {},
  annotations: {},
});

/** `web:1:running`, `web:0:exited:3`, with the sandbox's attempt after `@`. */
function container(text: string): ContainerState {
  const [head = "", inSandbox = "0"] = text.split("@");
  const [name = "", attempt = "0", state = "running", exitCode = "0"] = head.split(":");
  return {
    id: `${name}-${attempt}`,
    sandboxId: `s${inSandbox}`,
    name,
    attempt: Number(attempt),
    state: state as ContainerState["state"],
    createdAtMs: Number(attempt),
    startedAtMs: 1,
    finishedAtMs: state === "exited" ? 2 : 0,
    exitCode: Number(exitCode),
    reason: "",
    message: "",
    image: "i",
    imageRef: "",
    labels: {},
    annotations: { [ANNOTATIONS.hash]: containerHash({ name, image: "i" }) },
    mounts: [],
    logPath: "",
  };
}

const state = (sandboxes: SandboxState[], ...containers: string[]): PodState => ({
  sandboxes,
  containers: containers.map(container),
});

/** A plan as a line: what is killed, made, started. */
function line(plan: PodPlan): string {
  const parts = [
    ...plan.suspects.map((each) => `suspect ${each.name}`),
    ...plan.kill.map((each) => `kill ${each.container.id}`),
    ...(plan.newSandboxAttempt === undefined ? [] : [`sandbox ${plan.newSandboxAttempt}`]),
    ...plan.start.map((each) => `start ${each.name}`),
    ...(plan.finished ? ["finished"] : []),
  ];
  return parts.join(", ") || "nothing";
}

const WEB: Container = { name: "web", image: "i" };
const two = { containers: [WEB, { name: "db", image: "i" }] };
const one = { containers: [WEB] };
const job = (restartPolicy: string): PodSpec => ({ containers: [WEB], restartPolicy });
const withInit = (restartPolicy = "Always"): PodSpec => ({
  containers: [WEB],
  restartPolicy,
  initContainers: [
    { name: "i1", image: "i" },
    { name: "i2", image: "i" },
  ],
});
const withSide: PodSpec = { containers: [WEB], initContainers: [SIDE, { name: "i1", image: "i" }] };

describe("a pod's next step", () => {
  test.each<[string, PodSpec, PodState, string]>([
    ["nothing yet", two, state([]), "sandbox 0, start web, start db"],
    ["nothing yet, init first", withInit(), state([]), "sandbox 0, start i1"],
    ["a sandbox alone", two, state([sandbox(0)]), "start web, start db"],
    ["all runs", two, state([sandbox(0)], "web:0", "db:0"), "nothing"],
    ["one made but not started", two, state([sandbox(0)], "web:0:created", "db:0"), "start web"],
    ["one ended", two, state([sandbox(0)], "web:0:exited", "db:0"), "start web"],
    ["one ended and runs again", two, state([sandbox(0)], "web:0:exited", "web:1", "db:0"), "nothing"],
    ["unknown to the runtime", one, state([sandbox(0)], "web:0:unknown"), "kill web-0, start web"],
    ["Never, ended", job("Never"), state([sandbox(0)], "web:0:exited:1"), "finished"],
    ["OnFailure, ended well", job("OnFailure"), state([sandbox(0)], "web:0:exited"), "finished"],
    ["OnFailure, failed", job("OnFailure"), state([sandbox(0)], "web:0:exited:1"), "start web"],
    [
      "Never, one of two ended",
      { ...two, restartPolicy: "Never" },
      state([sandbox(0)], "web:0:exited", "db:0"),
      "nothing",
    ],
    ["the sandbox died", one, state([sandbox(0, false)], "web:0:exited"), "sandbox 1, start web"],
    ["the sandbox died, job was done", job("OnFailure"), state([sandbox(0, false)], "web:0:exited"), "finished"],
    ["a sandbox without an address", one, state([sandbox(0, true, [])], "web:0"), "sandbox 1, start web"],
    ["the host's network needs none", { ...one, hostNetwork: true }, state([sandbox(0, true, [])], "web:0"), "nothing"],
    ["two ready sandboxes", one, state([sandbox(1), sandbox(0)], "web:0@0"), "sandbox 2, start web"],
    ["the new sandbox is empty", one, state([sandbox(1), sandbox(0, false)], "web:0:exited@0"), "start web"],
    ["first init runs", withInit(), state([sandbox(0)], "i1:0"), "nothing"],
    ["first init done", withInit(), state([sandbox(0)], "i1:0:exited"), "start i2"],
    ["both done", withInit(), state([sandbox(0)], "i1:0:exited", "i2:0:exited"), "start web"],
    ["init failed", withInit(), state([sandbox(0)], "i1:0:exited:1"), "start i1"],
    ["init failed for good", withInit("Never"), state([sandbox(0)], "i1:0:exited:1"), "finished"],
    ["init records are gone", withInit(), state([sandbox(0)], "web:0"), "nothing"],
    ["init again in a new sandbox", withInit(), state([sandbox(1)], "i1:0:exited@0", "i2:0:exited@0"), "start i1"],
    ["sidecar first", withSide, state([sandbox(0)]), "start side"],
    ["sidecar runs", withSide, state([sandbox(0)], "side:0"), "start i1"],
    ["sidecar died during init", withSide, state([sandbox(0)], "side:0:exited:1", "i1:0"), "start side"],
    ["sidecar died later", withSide, state([sandbox(0)], "side:0:exited", "i1:0:exited", "web:0"), "start side"],
    [
      "the app is done, the sidecar is not",
      { ...withSide, restartPolicy: "Never" },
      state([sandbox(0)], "side:0", "i1:0:exited", "web:0:exited"),
      "finished",
    ],
  ])("%s", (_what, spec, now, expected) => {
    expect(line(planPod(podOf(spec), now, well))).toBe(expected);
  });

  test("a sidecar that has not started holds up what comes after it", () => {
    const slow = { ...well, started: () => false };
    expect(line(planPod(podOf(withSide), state([sandbox(0)], "side:0"), slow))).toBe("nothing");
  });

  test("a container that a probe condemns is killed, and started again if it may be", () => {
    const sick = { ...well, condemned: () => "failed liveness probe" };
    const plan = planPod(podOf(one), state([sandbox(0)], "web:0"), sick);
    expect(plan.kill[0]?.message).toBe("Container web failed liveness probe, will be restarted");
    expect(line(plan)).toBe("kill web-0, start web");
    expect(planPod(podOf(job("Never")), state([sandbox(0)], "web:0"), sick).kill[0]?.message).toBe(
      "Container web failed liveness probe",
    );
  });

  test("another image is another container", () => {
    const changed = podOf({ containers: [{ name: "web", image: "other" }] });
    const plan = planPod(changed, state([sandbox(0)], "web:0"), well);
    expect(plan.kill[0]?.message).toBe("Container web definition changed, will be restarted");
  });

  test("an answer that makes no sense: nothing is killed, nothing is started", () => {
    const now = state([sandbox(0)], "web:0:exited", "db:0:unknown");
    const containers = now.containers.map((each) => (each.name === "db" ? { ...each, suspect: "why" } : each));
    expect(line(planPod(podOf(two), { ...now, containers }, well))).toBe("suspect db");
  });
});
