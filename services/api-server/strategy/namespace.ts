import { type KubeObject, structAt, valueAt } from "../core/kube-object.ts";
import type { Strategy } from "./strategy.ts";

const FINALIZER = "kubernetes";

/** A namespace has two lists of finalizers; only the `finalize` subresource changes the one in spec. */
export const namespaceStrategy: Strategy = {
  prepareCreate(object) {
    const spec = structAt(object, "spec");
    const finalizers = Array.isArray(spec["finalizers"]) ? spec["finalizers"] : [];
    if (!finalizers.includes(FINALIZER)) spec["finalizers"] = [...finalizers, FINALIZER];
  },
  prepareUpdate(object, old) {
    object["spec"] = old["spec"];
  },
};

export function namespaceFinalizers(object: KubeObject): readonly unknown[] {
  const finalizers = valueAt(object, "spec", "finalizers");
  return Array.isArray(finalizers) ? finalizers : [];
}
