import { isJsonObject, type JsonObject, type JsonValue } from "../../json-value.ts";
import type { DefaultHook } from "../default-hook.ts";

/** What of a Service's traffic depends on its type. */
export const serviceTraffic: DefaultHook = (service) => {
  const spec = service["spec"];
  if (!isJsonObject(spec)) return;
  const type = spec["type"] ?? "ClusterIP";
  if ((spec["sessionAffinity"] ?? "None") === "None") delete spec["sessionAffinityConfig"];
  const isExternal =
    type === "LoadBalancer" || type === "NodePort" || (type === "ClusterIP" && spec["externalIPs"] !== undefined);
  if (isExternal) spec["externalTrafficPolicy"] ??= "Cluster";
  if (type === "LoadBalancer")
    for (const ingress of ingressesOf(service)) if (ingress["ip"] !== undefined) ingress["ipMode"] ??= "VIP";
};

function ingressesOf(service: JsonObject): JsonObject[] {
  const status = service["status"];
  const balancer = isJsonObject(status) ? status["loadBalancer"] : undefined;
  const ingress: JsonValue | undefined = isJsonObject(balancer) ? balancer["ingress"] : undefined;
  return Array.isArray(ingress) ? ingress.filter(isJsonObject) : [];
}
