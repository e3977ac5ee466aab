import { joinKey } from "../../lib/client/api-object.ts";
import { PodState, type SchedulerDefinition } from "../../lib/gen/keelson/scheduler/v1/scheduler.ts";
import type { ServiceHandlers } from "../../lib/transport/grpc-server.ts";
import { RpcError } from "../../lib/transport/rpc-error.ts";
import type { Decision } from "./decision.ts";
import type { Scheduler } from "./scheduler.ts";

const STATES: Readonly<Record<Decision["state"], PodState>> = {
  unknown: PodState.POD_STATE_UNSPECIFIED,
  "not-ours": PodState.POD_STATE_NOT_OURS,
  gated: PodState.POD_STATE_GATED,
  scheduled: PodState.POD_STATE_SCHEDULED,
  active: PodState.POD_STATE_ACTIVE,
  "backing-off": PodState.POD_STATE_BACKING_OFF,
  unschedulable: PodState.POD_STATE_UNSCHEDULABLE,
};

/** `keelson.scheduler.v1.Scheduler`. */
export function schedulerService(
  scheduler: Pick<Scheduler, "explain" | "leading">,
): ServiceHandlers<typeof SchedulerDefinition> {
  return {
    async explain({ namespace, name }) {
      if (name === "") throw new RpcError("INVALID_ARGUMENT", "the name of a pod is needed");
      if (!scheduler.leading) throw new RpcError("FAILED_PRECONDITION", "another scheduler leads: ask that one");
      const { state, node = "", message = "", nodes } = scheduler.explain(joinKey(namespace, name));
      const best = nodes.toSorted(
        (a, b) => (b.score ?? Number.NEGATIVE_INFINITY) - (a.score ?? Number.NEGATIVE_INFINITY),
      );
      return {
        state: STATES[state],
        nodeName: node,
        message,
        nodes: best.map(({ node: nodeName, failures, score }) => ({ nodeName, failures: [...failures], score })),
      };
    },
  };
}
