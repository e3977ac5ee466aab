import { describe, expect, test } from "vitest";
import type { ContainerStatus, Pod } from "../../../gen/k8s/core/v1.ts";
import { podRow } from "./pod-row.ts";

const nowMs = Date.UTC(2026, 0, 1, 0, 1, 0);
const running = { running: { startedAt: "2026-01-01T00:00:00Z" } };

function pod(more: { spec?: Pod["spec"]; status?: Pod["status"]; deleted?: boolean }): Pod {
  return {
    metadata: { name: "web", ...(more.deleted === true ? { deletionTimestamp: "2026-01-01T00:00:59Z" } : {}) },
    spec: { containers: [{ name: "a" }], ...more.spec },
    status: { phase: "Running", ...more.status },
  };
}

const container = (name: string, more: ContainerStatus): ContainerStatus => ({ name, ...more });
const ready = (name: string, restartCount = 0): ContainerStatus => ({
  name,
  ready: true,
  restartCount,
  state: running,
});
const over = (name: string, terminated: object): ContainerStatus => ({ name, state: { terminated } });

type Case = [name: string, pod: Pod, ready: string, status: string, restarts: string];

const cases: Case[] = [
  ["not yet scheduled", pod({ status: { phase: "Pending" } }), "0/1", "Pending", "0"],
  ["running", pod({ status: { containerStatuses: [ready("a")] } }), "1/1", "Running", "0"],
  [
    "gated",
    pod({ status: { phase: "Pending", conditions: [{ type: "PodScheduled", reason: "SchedulingGated" }] } }),
    "0/1",
    "SchedulingGated",
    "0",
  ],
  ["evicted", pod({ status: { phase: "Failed", reason: "Evicted" } }), "0/1", "Evicted", "0"],
  [
    "creating",
    pod({
      status: {
        phase: "Pending",
        containerStatuses: [container("a", { state: { waiting: { reason: "ContainerCreating" } } })],
      },
    }),
    "0/1",
    "ContainerCreating",
    "0",
  ],
  [
    "crash loop",
    pod({
      status: {
        containerStatuses: [
          container("a", {
            restartCount: 3,
            state: { waiting: { reason: "CrashLoopBackOff" } },
            lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:00:55Z" } },
          }),
        ],
      },
    }),
    "0/1",
    "CrashLoopBackOff",
    "3 (5s ago)",
  ],
  [
    "completed",
    pod({ status: { phase: "Succeeded", containerStatuses: [over("a", { reason: "Completed" })] } }),
    "0/1",
    "Completed",
    "0",
  ],
  [
    "exit code",
    pod({ status: { phase: "Failed", containerStatuses: [over("a", { exitCode: 3 })] } }),
    "0/1",
    "ExitCode:3",
    "0",
  ],
  [
    "signal",
    pod({ status: { phase: "Failed", containerStatuses: [over("a", { exitCode: 137, signal: 9 })] } }),
    "0/1",
    "Signal:9",
    "0",
  ],
  [
    "one over, one running, ready",
    pod({
      spec: { containers: [{ name: "a" }, { name: "b" }] },
      status: {
        containerStatuses: [over("a", { reason: "Completed" }), ready("b")],
        conditions: [{ type: "Ready", status: "True" }],
      },
    }),
    "1/2",
    "Running",
    "0",
  ],
  [
    "one over, one running, not ready",
    pod({
      spec: { containers: [{ name: "a" }, { name: "b" }] },
      status: { containerStatuses: [over("a", { reason: "Completed" }), ready("b")] },
    }),
    "1/2",
    "NotReady",
    "0",
  ],
  [
    "the first container that is not fine decides",
    pod({
      spec: { containers: [{ name: "a" }, { name: "b" }] },
      status: {
        containerStatuses: [
          over("a", { reason: "Error", exitCode: 1 }),
          container("b", { state: { waiting: { reason: "ImagePullBackOff" } } }),
        ],
      },
    }),
    "0/2",
    "Error",
    "0",
  ],
  [
    "initializing",
    pod({
      spec: { containers: [{ name: "a" }], initContainers: [{ name: "i" }, { name: "j" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [over("i", { exitCode: 0 }), container("j", { state: running })],
        containerStatuses: [container("a", { state: { waiting: { reason: "PodInitializing" } } })],
      },
    }),
    "0/1",
    "Init:1/2",
    "0",
  ],
  [
    "initialization fails",
    pod({
      spec: { containers: [{ name: "a" }], initContainers: [{ name: "i" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [{ ...over("i", { reason: "Error", exitCode: 1 }), restartCount: 2 }],
      },
    }),
    "0/1",
    "Init:Error",
    "2",
  ],
  [
    "initialization waits",
    pod({
      spec: { containers: [{ name: "a" }], initContainers: [{ name: "i" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [container("i", { state: { waiting: { reason: "CrashLoopBackOff" } } })],
      },
    }),
    "0/1",
    "Init:CrashLoopBackOff",
    "0",
  ],
  [
    "a side-car counts",
    pod({
      spec: { containers: [{ name: "a" }], initContainers: [{ name: "s", restartPolicy: "Always" }] },
      status: {
        initContainerStatuses: [{ ...ready("s", 1), started: true }],
        containerStatuses: [ready("a", 2)],
        conditions: [{ type: "Initialized", status: "True" }],
      },
    }),
    "2/2",
    "Running",
    "3",
  ],
  ["terminating", pod({ deleted: true, status: { containerStatuses: [ready("a")] } }), "1/1", "Terminating", "0"],
  ["deleted but over", pod({ deleted: true, status: { phase: "Succeeded" } }), "0/1", "Succeeded", "0"],
  ["node lost", pod({ deleted: true, status: { reason: "NodeLost" } }), "0/1", "Unknown", "0"],
];

describe("the row of a pod", () => {
  test.each(cases)("%s", (_, object, expectedReady, status, restarts) => {
    const { cells } = podRow(object, nowMs);
    expect([cells["Ready"], cells["Status"], cells["Restarts"]]).toEqual([expectedReady, status, restarts]);
  });

  test("wide cells", () => {
    const wide = pod({
      spec: { nodeName: "n1", readinessGates: [{ conditionType: "x" }, { conditionType: "y" }] },
      status: { podIPs: [{ ip: "10.0.0.1" }], conditions: [{ type: "x", status: "True" }] },
    });
    expect(podRow(wide, nowMs).cells).toMatchObject({
      IP: "10.0.0.1",
      Node: "n1",
      "Nominated Node": "<none>",
      "Readiness Gates": "1/2",
    });
    expect(podRow(pod({}), nowMs).cells).toMatchObject({ IP: "<none>", Node: "<none>", "Readiness Gates": "<none>" });
  });

  test("a pod that is over is marked", () => {
    expect(podRow(pod({ status: { phase: "Succeeded" } }), nowMs).conditions?.[0]?.reason).toBe("Succeeded");
    expect(podRow(pod({ status: { phase: "Failed" } }), nowMs).conditions?.[0]?.reason).toBe("Failed");
    expect(podRow(pod({}), nowMs).conditions).toBeUndefined();
  });
});
