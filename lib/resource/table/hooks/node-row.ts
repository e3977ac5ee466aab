import type { Node } from "../../../gen/k8s/core/v1.ts";
import type { ComputedRow } from "../row-hook.ts";

const ROLE_PREFIX = "node-role.kubernetes.io/";
const ROLE_LABEL = "kubernetes.io/role";

export function nodeRow(node: Node): ComputedRow {
  const info = node.status?.nodeInfo ?? {};
  return {
    cells: {
      Status: statusOf(node),
      Roles: rolesOf(node),
      "Internal-IP": addressOf(node, "InternalIP"),
      "External-IP": addressOf(node, "ExternalIP"),
      "OS-Image": info.osImage ?? "<unknown>",
      "Kernel-Version": info.kernelVersion ?? "<unknown>",
      "Container-Runtime": info.containerRuntimeVersion ?? "<unknown>",
    },
  };
}

function statusOf(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
  const text = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return node.spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

function rolesOf(node: Node): string {
  const roles = new Set<string>();
  for (const [label, value] of Object.entries(node.metadata?.labels ?? {})) {
    if (label.startsWith(ROLE_PREFIX) && label.length > ROLE_PREFIX.length) roles.add(label.slice(ROLE_PREFIX.length));
    else if (label === ROLE_LABEL && value !== "") roles.add(value);
  }
  return roles.size === 0 ? "<none>" : [...roles].sort().join(",");
}

function addressOf(node: Node, type: string): string {
  return node.status?.addresses?.find((address) => address.type === type)?.address ?? "<none>";
}
