import { milliUnits, parseQuantity, wholeUnits } from "../../lib/core/quantity.ts";
import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { ResourceLimits } from "../runtime/runtime.ts";

const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1_000;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
/** Under memory pressure the kernel takes best effort first and guaranteed last; source: kubernetes/kubernetes:pkg/kubelet/qos. */
const GUARANTEED_OOM_SCORE = -997;
const BEST_EFFORT_OOM_SCORE = 1_000;

/** What the kernel is asked to enforce. `memoryCapacityBytes` is the node's. */
export function resourceLimitsOf(pod: Pod, container: Container, memoryCapacityBytes: number): ResourceLimits {
  const { requests, limits } = container.resources ?? {};
  const cpuLimitMilli = milli(limits?.["cpu"]);
  const cpuRequestMilli = requests?.["cpu"] === undefined ? cpuLimitMilli : milli(requests["cpu"]);
  const memoryRequest = whole(requests?.["memory"] ?? limits?.["memory"]);
  return {
    cpuShares: sharesOf(cpuRequestMilli),
    cpuPeriodUs: cpuLimitMilli === 0 ? 0 : PERIOD_US,
    cpuQuotaUs: cpuLimitMilli === 0 ? 0 : Math.max(MIN_QUOTA_US, Math.floor((cpuLimitMilli * PERIOD_US) / 1_000)),
    memoryLimitBytes: whole(limits?.["memory"]),
    oomScoreAdj: oomScoreOf(pod, memoryRequest, memoryCapacityBytes),
  };
}

function sharesOf(milliCpu: number): number {
  return Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((milliCpu * 1_024) / 1_000)));
}

function oomScoreOf(pod: Pod, memoryRequest: number, memoryCapacityBytes: number): number {
  switch (pod.status?.qosClass) {
    case "Guaranteed":
      return GUARANTEED_OOM_SCORE;
    case "BestEffort":
      return BEST_EFFORT_OOM_SCORE;
    default: {
      const score = 1_000 - Math.floor((1_000 * memoryRequest) / memoryCapacityBytes);
      return Math.min(BEST_EFFORT_OOM_SCORE - 1, Math.max(1_000 + GUARANTEED_OOM_SCORE, score));
    }
  }
}

function milli(text: string | undefined): number {
  return text === undefined ? 0 : Number(milliUnits(parseQuantity(text)));
}

function whole(text: string | undefined): number {
  return text === undefined ? 0 : Number(wholeUnits(parseQuantity(text)));
}
