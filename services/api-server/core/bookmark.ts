import { apiVersionOf } from "./kind-table.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ServedKind } from "./stored-kind.ts";

/** The annotation that clients of a streaming list wait for. */
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** The object of a bookmark: nothing but a kind and the revision up to which everything was sent. */
export function bookmarkObject(item: { revision: number; initialEventsEnd: boolean }, kind: ServedKind): KubeObject {
  return {
    kind: kind.definition.kind,
    apiVersion: apiVersionOf(kind.definition),
    metadata: {
      resourceVersion: String(item.revision),
      ...(item.initialEventsEnd ? { annotations: { [INITIAL_EVENTS_END]: "true" } } : {}),
    },
  };
}
