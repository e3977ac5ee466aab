import type { GroupVersionName } from "./registry.ts";

/** Groups in the order in which upstream's discovery lists them; kubectl resolves short names by it. */
const order: ReadonlyMap<string, number> = new Map(
  [
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
  ].map((group, index) => [group, index]),
);

/** Built-in groups first, others by name; inside a group by version priority (v2, v1, v1beta2, v1beta1, v1alpha1). */
export function compareGroups(a: GroupVersionName, b: GroupVersionName): number {
  if (a.group !== b.group) {
    const places = [order.get(a.group) ?? order.size, order.get(b.group) ?? order.size] as const;
    return places[0] - places[1] || (a.group < b.group ? -1 : 1);
  }
  return compareVersions(a.version, b.version);
}

const versionPattern = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const stability = { alpha: 0, beta: 1, stable: 2 } as const;

/** Upstream's rule (kubernetes/apimachinery:pkg/version): stable before beta before alpha, then the higher number. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [versionPattern.exec(a), versionPattern.exec(b)];
  if (left === null || right === null) {
    return left === right ? (a < b ? -1 : 1) : left === null ? 1 : -1;
  }
  const rank = (match: RegExpExecArray) => stability[(match[2] as "alpha" | "beta" | undefined) ?? "stable"];
  return rank(right) - rank(left) || Number(right[1]) - Number(left[1]) || Number(right[3] ?? 0) - Number(left[3] ?? 0);
}
