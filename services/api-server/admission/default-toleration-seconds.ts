import { listAt, structAt } from "../core/kube-object.ts";
import { type AdmissionPlugin, isFor } from "./admission.ts";

const TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const TOLERATION_SECONDS = 300;

/** Source of behaviour: kubernetes/kubernetes:plugin/pkg/admission/defaulttolerationseconds. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  mutate(request) {
    const pod = request.object;
    if (pod === undefined || request.operation === "DELETE" || !isFor(request, "", "pods")) return;
    const tolerations = listAt(pod, "spec", "tolerations");
    const missing = TAINTS.filter((taint) => !tolerations.some((toleration) => covers(toleration, taint)));
    if (missing.length === 0) return;
    const added = missing.map((key) => ({
      key,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: TOLERATION_SECONDS,
    }));
    structAt(pod, "spec")["tolerations"] = [...tolerations, ...added];
  },
};

function covers(toleration: Record<string, unknown>, taint: string): boolean {
  const key = toleration["key"] ?? "";
  const effect = toleration["effect"] ?? "";
  return (key === taint || key === "") && (effect === "NoExecute" || effect === "");
}
