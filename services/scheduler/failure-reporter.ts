import type { ApiClient } from "../../lib/client/api-client.ts";
import type { EventRecorder } from "../../lib/controller/event-recorder.ts";
import { RecentMap } from "../../lib/controller/recent-map.ts";
import { type Clock, formatTime } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import { asStatusError } from "../../lib/core/status-error.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { pods } from "../../lib/gen/k8s/resources.ts";

const REMEMBERED = 10_000;

/** Tells people why a pod waits: the event FailedScheduling and the condition PodScheduled. */
export class FailureReporter {
  private readonly components: { api: ApiClient; clock: Clock; log: Log; recorder: EventRecorder };
  /** What was said last of a pod, by uid. */
  private readonly said = new RecentMap<string>(REMEMBERED);

  constructor(components: { api: ApiClient; clock: Clock; log: Log; recorder: EventRecorder }) {
    this.components = components;
  }

  /** `quiet`: nothing has happened since the last attempt, so the same again is not worth an event. */
  async unschedulable(pod: Pod, message: string, quiet: boolean, nominated: string | undefined): Promise<void> {
    const uid = pod.metadata?.uid ?? "";
    const text = `${nominated ?? ""} ${message}`;
    const same = this.said.get(uid) === text;
    if (!(same && quiet)) this.components.recorder.record(pod, "Warning", "FailedScheduling", message);
    this.said.set(uid, text);
    if (!same) await this.setCondition(pod, "Unschedulable", message, nominated);
  }

  async failed(pod: Pod, message: string): Promise<void> {
    this.components.recorder.record(pod, "Warning", "FailedScheduling", message);
    await this.setCondition(pod, "SchedulerError", message, pod.status?.nominatedNodeName);
  }

  private async setCondition(
    pod: Pod,
    reason: string,
    message: string,
    nominatedNodeName: string | undefined,
  ): Promise<void> {
    const { api, clock, log } = this.components;
    const { namespace = "", name = "", uid } = pod.metadata ?? {};
    const before = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
    const isSaid = before?.status === "False" && before.reason === reason && before.message === message;
    if (isSaid && pod.status?.nominatedNodeName === nominatedNodeName) return;
    const lastTransitionTime =
      before?.status === "False" && before.lastTransitionTime !== undefined
        ? before.lastTransitionTime
        : formatTime(clock.nowMs());
    const condition = { type: "PodScheduled", status: "False", reason, message, lastTransitionTime };
    const body = {
      metadata: { uid },
      status: { conditions: [condition], nominatedNodeName: nominatedNodeName ?? null },
    };
    try {
      await api.patch(pods, { namespace, name }, { type: "strategic", body }, { subresource: "status" });
    } catch (thrown) {
      log.debug("the condition PodScheduled could not be set", { pod: name, error: asStatusError(thrown).message });
    }
  }
}
