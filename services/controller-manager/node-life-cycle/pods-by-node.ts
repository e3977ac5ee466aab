import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";

export const BY_NODE = "node";

export function byNode(pod: Pod): string[] {
  return pod.spec?.nodeName === undefined ? [] : [pod.spec.nodeName];
}
