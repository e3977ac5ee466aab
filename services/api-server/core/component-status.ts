import type { ComponentStatus } from "../../../lib/gen/k8s/core/v1.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { KubeObject } from "./kube-object.ts";

/** Of the parts that upstream lists an api-server knows one: the store, which upstream calls `etcd-0`. */
export async function componentStatus(store: Store): Promise<KubeObject & { metadata: { name: string } }> {
  const [status, message] = await store.status().then(
    () => ["True", "ok"],
    (error: unknown) => ["False", `the store does not answer: ${error instanceof Error ? error.message : error}`],
  );
  const object: ComponentStatus = { conditions: [{ type: "Healthy", status: status!, message: message! }] };
  return { apiVersion: "v1", kind: "ComponentStatus", ...object, metadata: { name: "etcd-0" } };
}
