import type { DefaultHook } from "../default-hook.ts";

/** Only a type that was left out brings the parameters of a rolling update with it. */
export const statefulSetUpdateStrategy: DefaultHook = (strategy, asSent) => {
  if (asSent["type"] === undefined) strategy["rollingUpdate"] ??= {};
};
