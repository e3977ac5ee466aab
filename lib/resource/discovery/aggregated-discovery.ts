import type { ResourceDefinition } from "../kind.ts";
import type { GroupVersionName, Registry } from "../registry.ts";

/** The versions of apidiscovery.k8s.io that are spoken; their documents differ in nothing else. */
export type DiscoveryVersion = "v2" | "v2beta1";

/**
 * One document with all that a client must know of the core group (`/api`) or of all others (`/apis`).
 * Source: KEP-3352, kubernetes/api:apidiscovery/v2.
 */
export function groupDiscoveryList(registry: Registry, path: "/api" | "/apis", version: DiscoveryVersion): object {
  const served = registry.groupVersions().filter(({ group }) => (group === "") === (path === "/api"));
  const items = [...Map.groupBy(served, ({ group }) => group)].map(([name, members]) => ({
    metadata: { ...(name === "" ? {} : { name }), creationTimestamp: null },
    versions: members.map((member) => versionEntry(registry, member)),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items };
}

/** The media type of such a document, which clients compare with what they asked for. */
export function discoveryMediaType(version: DiscoveryVersion): string {
  return `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
}

/** The version that an Accept header prefers to the plain documents; undefined when it wants those. */
export function acceptedDiscovery(accept: string): DiscoveryVersion | undefined {
  for (const range of accept.split(",")) {
    const parts = range.split(";").map((part) => part.trim().toLowerCase());
    if (!["application/json", "*/*", "application/*"].includes(parts[0] ?? "")) continue;
    const version = parts.find((part) => part.startsWith("v="))?.slice(2);
    const isAggregated = parts.includes("as=apigroupdiscoverylist") && parts.includes("g=apidiscovery.k8s.io");
    if (!isAggregated) return undefined;
    if (version === "v2" || version === "v2beta1") return version;
  }
  return undefined;
}

function versionEntry(registry: Registry, { group, version }: GroupVersionName): object {
  return {
    version,
    resources: registry.resourcesOf(group, version).map(resourceEntry),
    freshness: "Current",
  };
}

function resourceEntry(definition: ResourceDefinition): object {
  const { group, version, kind, shortNames, categories, subresources } = definition;
  return {
    resource: definition.resource,
    responseKind: { group, version, kind },
    scope: definition.namespaced ? "Namespaced" : "Cluster",
    singularResource: definition.singular,
    verbs: definition.verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(subresources.length === 0
      ? {}
      : {
          subresources: subresources.map((one) => ({
            subresource: one.name,
            responseKind: { group: one.group, version: one.version, kind: one.kind },
            verbs: one.verbs,
          })),
        }),
  };
}
