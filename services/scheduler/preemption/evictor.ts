import type { ApiClient } from "../../../lib/client/api-client.ts";
import type { EventRecorder } from "../../../lib/controller/event-recorder.ts";
import { type Clock, formatTime } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import { pods } from "../../../lib/gen/k8s/resources.ts";
import type { PodInfo } from "../nodes/pod-info.ts";

/** Carries a preemption out: the victims are told why and deleted, with their grace. */
export class Evictor {
  private readonly components: { api: ApiClient; clock: Clock; log: Log; recorder: EventRecorder };
  private readonly schedulerName: string;

  constructor(
    components: { api: ApiClient; clock: Clock; log: Log; recorder: EventRecorder },
    options: { schedulerName: string },
  ) {
    this.components = components;
    this.schedulerName = options.schedulerName;
  }

  async evict(victims: readonly PodInfo[], pod: PodInfo, nodeName: string): Promise<void> {
    const waiting = victims.filter((victim) => victim.pod.metadata?.deletionTimestamp === undefined);
    await Promise.all(waiting.map((victim) => this.evictOne(victim, pod, nodeName)));
  }

  private async evictOne(victim: PodInfo, pod: PodInfo, nodeName: string): Promise<void> {
    const { api, clock, log, recorder } = this.components;
    const { namespace = "", name = "", uid = "" } = victim.pod.metadata ?? {};
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "PreemptionByScheduler",
      message: `${this.schedulerName}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: formatTime(clock.nowMs()),
    };
    try {
      const body = { metadata: { uid }, status: { conditions: [condition] } };
      await api.patch(pods, { namespace, name }, { type: "strategic", body }, { subresource: "status" });
      await api.delete(pods, { namespace, name }, { uid });
      recorder.record(victim.pod, "Normal", "Preempted", `Preempted by pod ${pod.uid} on node ${nodeName}`);
    } catch (thrown) {
      log.warn("a victim of preemption could not be deleted", {
        pod: victim.key,
        error: asStatusError(thrown).message,
      });
    }
  }
}
