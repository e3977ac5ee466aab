import type { ApiObject } from "../../../lib/client/api-object.ts";

export const BY_NAMESPACE = "namespace";

export function byNamespace(object: ApiObject): string[] {
  return [object.metadata?.namespace ?? ""];
}
