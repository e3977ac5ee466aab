import { expect, test } from "vitest";
import { PodState } from "../../lib/gen/keelson/scheduler/v1/scheduler.ts";
import type { ServerCall } from "../../lib/transport/grpc-server.ts";
import type { Decision } from "./decision.ts";
import { schedulerService } from "./scheduler-service.ts";

const call = {} as ServerCall;

function serviceOf(decision: Omit<Decision, "pod">, leading = true) {
  return schedulerService({ leading, explain: (pod) => ({ pod, ...decision }) });
}

test("a decision is told with the nodes that suit best first", async () => {
  const failures = [{ filter: "NodeResourcesFit", reason: "Insufficient cpu" }];
  const service = serviceOf({
    state: "active",
    nodes: [
      { node: "full", failures },
      { node: "good", failures: [], score: 1 },
      { node: "better", failures: [], score: 2.5 },
    ],
  });
  const answer = await service.explain!({ namespace: "default", name: "p" }, call);
  expect(answer).toMatchObject({ state: PodState.POD_STATE_ACTIVE, nodeName: "", message: "" });
  expect(answer.nodes).toEqual([
    { nodeName: "better", failures: [], score: 2.5 },
    { nodeName: "good", failures: [], score: 1 },
    { nodeName: "full", failures, score: undefined },
  ]);
});

test("only the leader answers, and only about a pod that is named", async () => {
  const idle = serviceOf({ state: "unknown", nodes: [] }, false);
  await expect(idle.explain!({ namespace: "a", name: "p" }, call)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
  const leader = serviceOf({ state: "unknown", nodes: [] });
  await expect(leader.explain!({ namespace: "a", name: "" }, call)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
