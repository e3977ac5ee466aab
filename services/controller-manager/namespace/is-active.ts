import type { Namespace } from "../../../lib/gen/k8s/core/v1.ts";

/** Exists and takes new content. */
export function isActive(namespace: Namespace | undefined): boolean {
  return namespace !== undefined && namespace.metadata?.deletionTimestamp === undefined;
}
