import type { EndpointSubset, Endpoints } from "../../../gen/k8s/core/v1.ts";
import type { ComputedRow } from "../row-hook.ts";

const SHOWN = 3;

export function endpointsRow(endpoints: Endpoints): ComputedRow {
  const all = (endpoints.subsets ?? []).flatMap(addressesOf);
  const shown = all.slice(0, SHOWN).join(",");
  const more = all.length > SHOWN ? ` + ${all.length - SHOWN} more...` : "";
  return { cells: { Endpoints: endpoints.subsets === undefined ? "<none>" : `${shown}${more}` } };
}

function addressesOf(subset: EndpointSubset): string[] {
  const hosts = (subset.addresses ?? []).map((address) => address.ip ?? "");
  if (subset.ports === undefined || subset.ports.length === 0) return hosts;
  return subset.ports.flatMap((port) =>
    hosts.map((host) => `${host.includes(":") ? `[${host}]` : host}:${port.port ?? 0}`),
  );
}
