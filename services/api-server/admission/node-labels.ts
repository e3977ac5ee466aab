/** Labels of the cluster that a node may give itself; source: kubernetes/kubernetes:staging/src/k8s.io/kubelet/pkg/apis. */
const KUBELET_LABELS = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
]);
const CLUSTER_DOMAINS = ["kubernetes.io", "k8s.io"];
const KUBELET_DOMAINS = ["kubelet.kubernetes.io", "node.kubernetes.io"];

type Labels = Readonly<Record<string, string>> | undefined;

/** Labels that differ and that a node may not change: the cluster's own, but for the few that describe the node. */
export function forbiddenLabelChanges(now: Labels, before: Labels): string[] {
  return changedLabels(now, before).filter((key) => isOfDomain(key, CLUSTER_DOMAINS) && !isOfKubelet(key));
}

export function changedLabels(now: Labels, before: Labels): string[] {
  const keys = new Set([...Object.keys(now ?? {}), ...Object.keys(before ?? {})]);
  return [...keys].filter((key) => now?.[key] !== before?.[key]).sort();
}

function isOfKubelet(key: string): boolean {
  return KUBELET_LABELS.has(key) || isOfDomain(key, KUBELET_DOMAINS);
}

function isOfDomain(key: string, domains: readonly string[]): boolean {
  const slash = key.indexOf("/");
  if (slash < 0) return false;
  const prefix = key.slice(0, slash);
  return domains.some((domain) => prefix === domain || prefix.endsWith(`.${domain}`));
}
