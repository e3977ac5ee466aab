import { isRecord, type KubeObject, listAt, valueAt } from "../core/kube-object.ts";

const COUNTED = ["cpu", "memory"];

/** Guaranteed, Burstable or BestEffort from the requests and limits for cpu and memory; source: KEP-753, k8s.io/docs/tasks/configure-pod-container/quality-service-pod. */
export function qosClassOf(pod: KubeObject): "Guaranteed" | "Burstable" | "BestEffort" {
  const containers = [...listAt(pod, "spec", "containers"), ...listAt(pod, "spec", "initContainers")];
  const podLevel = valueAt(pod, "spec", "resources");
  const all = isRecord(podLevel) && mentions(podLevel) ? [{ resources: podLevel }] : containers;
  if (!all.some((container) => mentions(container["resources"]))) return "BestEffort";
  const guaranteed = all.every((container) =>
    COUNTED.every((name) => {
      const limit = amount(container["resources"], "limits", name);
      return limit !== undefined && (amount(container["resources"], "requests", name) ?? limit) === limit;
    }),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

function mentions(resources: unknown): boolean {
  return COUNTED.some((name) => ["limits", "requests"].some((list) => amount(resources, list, name) !== undefined));
}

function amount(resources: unknown, list: string, name: string): string | undefined {
  const value = valueAt(resources, list, name);
  return typeof value === "string" && !/^0+([.]0*)?([A-Za-z]*)$/.test(value) ? value : undefined;
}
