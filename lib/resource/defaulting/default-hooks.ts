import type { DefaultHook } from "./default-hook.ts";
import { imagePullPolicy, imageVolumePullPolicy } from "./hooks/image-pull-policy.ts";
import { limitRangeItem } from "./hooks/limit-range-item.ts";
import { namespaceNameLabel } from "./hooks/namespace-name-label.ts";
import { podHostPorts } from "./hooks/pod-host-ports.ts";
import { podResources } from "./hooks/pod-resources.ts";
import { secretStringData } from "./hooks/secret-string-data.ts";
import { serviceTraffic } from "./hooks/service-traffic.ts";
import { statefulSetUpdateStrategy } from "./hooks/stateful-set-update-strategy.ts";
import { volumeSource } from "./hooks/volume-source.ts";

/** By the id that annotations use. */
const hooks: ReadonlyMap<string, DefaultHook> = new Map([
  ["image-pull-policy", imagePullPolicy],
  ["image-volume-pull-policy", imageVolumePullPolicy],
  ["limit-range-item", limitRangeItem],
  ["namespace-name-label", namespaceNameLabel],
  ["pod-host-ports", podHostPorts],
  ["pod-resources", podResources],
  ["secret-string-data", secretStringData],
  ["service-traffic", serviceTraffic],
  ["stateful-set-update-strategy", statefulSetUpdateStrategy],
  ["volume-source", volumeSource],
]);

/** Throws for an id that names none: an annotation is wrong. */
export function defaultHook(id: string): DefaultHook {
  const hook = hooks.get(id);
  if (hook === undefined) throw new Error(`there is no default hook ${JSON.stringify(id)}`);
  return hook;
}
