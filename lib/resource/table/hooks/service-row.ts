import type { Service } from "../../../gen/k8s/core/v1.ts";
import type { ComputedRow } from "../row-hook.ts";
import { formatLabels } from "./format.ts";

export function serviceRow(service: Service): ComputedRow {
  const { spec = {} } = service;
  return {
    cells: {
      "Cluster-IP": spec.clusterIPs?.[0] ?? spec.clusterIP ?? "<none>",
      "External-IP": externalAddressOf(service),
      "Port(s)": portsOf(service),
      Selector: formatLabels(spec.selector),
    },
  };
}

function portsOf(service: Service): string {
  const ports = (service.spec?.ports ?? []).map((port) => {
    const nodePort = (port.nodePort ?? 0) > 0 ? `:${port.nodePort}` : "";
    return `${port.port ?? 0}${nodePort}/${port.protocol ?? ""}`;
  });
  return ports.length === 0 ? "<none>" : ports.join(",");
}

function externalAddressOf(service: Service): string {
  const { type, externalIPs = [], externalName } = service.spec ?? {};
  switch (type) {
    case "ClusterIP":
    case "NodePort":
      return externalIPs.length === 0 ? "<none>" : externalIPs.join(",");
    case "LoadBalancer": {
      const ingress = (service.status?.loadBalancer?.ingress ?? []).map((one) => one.ip ?? one.hostname ?? "");
      const addresses = [...new Set(ingress)].filter((address) => address !== "").sort();
      const all = [...addresses, ...externalIPs];
      return all.length === 0 ? "<pending>" : all.join(",");
    }
    case "ExternalName":
      return externalName ?? "";
    default:
      return "<unknown>";
  }
}
