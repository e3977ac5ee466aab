import { formatTime } from "../../../lib/core/clock.ts";
import type { Strategy } from "./strategy.ts";

export const persistentVolumeStrategy: Strategy = {
  returnsDeleted: true,
  prepareCreate(object, context) {
    object["status"] = { phase: "Pending", lastPhaseTransitionTime: formatTime(context.nowMs) };
  },
};

export const persistentVolumeClaimStrategy: Strategy = {
  returnsDeleted: true,
  prepareCreate(object) {
    object["status"] = { phase: "Pending" };
  },
};
