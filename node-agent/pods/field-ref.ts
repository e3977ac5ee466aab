import { parseQuantity } from "../../lib/core/quantity.ts";
import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";

/** What a pod's own fields say on this node, for `fieldRef`. */
export interface FieldSources {
  readonly hostIp: string;
  readonly podIps: readonly string[];
}

/** Thrown for a reference that names nothing; the message is for people. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** The text of a field for `fieldRef`; source: kubernetes/api:core/v1 ObjectFieldSelector. */
export function fieldOf(pod: Pod, path: string, sources: FieldSources): string {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript !== null) return pod.metadata?.[subscript[1] as "labels" | "annotations"]?.[subscript[2]!] ?? "";
  switch (path) {
    case "metadata.name":
      return pod.metadata?.name ?? "";
    case "metadata.namespace":
      return pod.metadata?.namespace ?? "";
    case "metadata.uid":
      return pod.metadata?.uid ?? "";
    case "metadata.labels":
      return mapText(pod.metadata?.labels);
    case "metadata.annotations":
      return mapText(pod.metadata?.annotations);
    case "spec.nodeName":
      return pod.spec?.nodeName ?? "";
    case "spec.serviceAccountName":
      return pod.spec?.serviceAccountName ?? "";
    case "status.hostIP":
    case "status.hostIPs":
      return sources.hostIp;
    case "status.podIP":
      return sources.podIps[0] ?? "";
    case "status.podIPs":
      return sources.podIps.join(",");
    default:
      throw new ConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** One `key="value"` per line, in order of the keys. */
function mapText(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}

/** A container's own amount in units of the divisor, rounded up; without a limit, what the node has. */
export function resourceOf(
  container: Container,
  resource: string,
  divisor: string | undefined,
  allocatable: Readonly<Record<string, string>>,
): string {
  const [kind = "", ...rest] = resource.split(".");
  const name = rest.join(".");
  const list = kind === "limits" ? container.resources?.limits : container.resources?.requests;
  const text = list?.[name] ?? (kind === "limits" ? allocatable[name] : undefined) ?? "0";
  const unit = parseQuantity(divisor === undefined || divisor === "0" ? "1" : divisor).nano;
  const amount = parseQuantity(text).nano;
  return String((amount + unit - 1n) / unit);
}
