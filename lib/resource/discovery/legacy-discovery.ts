import type { ResourceDefinition, SubresourceDefinition } from "../kind.ts";
import type { GroupVersionName, Registry } from "../registry.ts";

/** `v1` for the core group, else `apps/v1`. */
export function groupVersionText({ group, version }: GroupVersionName): string {
  return group === "" ? version : `${group}/${version}`;
}

interface ServerAddress {
  readonly clientCIDR: string;
  readonly serverAddress: string;
}

/** `/api`: the versions of the core group; `address` is host and port of this server as clients reach it. */
export function apiVersions(registry: Registry, address: string): object {
  const versions = registry.groupVersions().filter(({ group }) => group === "");
  const serverAddressByClientCIDRs: ServerAddress[] = [{ clientCIDR: "0.0.0.0/0", serverAddress: address }];
  return { kind: "APIVersions", versions: versions.map(({ version }) => version), serverAddressByClientCIDRs };
}

interface Group {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string; readonly version: string }[];
  readonly preferredVersion: { readonly groupVersion: string; readonly version: string } | undefined;
}

/** The groups but core, in upstream's order, the preferred version of each first. */
export function groupsOf(registry: Registry): Group[] {
  const groups = Map.groupBy(
    registry.groupVersions().filter(({ group }) => group !== ""),
    ({ group }) => group,
  );
  return [...groups].map(([name, members]) => {
    const versions = members.map((one) => ({ groupVersion: groupVersionText(one), version: one.version }));
    return { name, versions, preferredVersion: versions[0] };
  });
}

/** `/apis`. */
export function apiGroupList(registry: Registry): object {
  return { kind: "APIGroupList", apiVersion: "v1", groups: groupsOf(registry) };
}

/** `/apis/<group>`; undefined where there is no such group. */
export function apiGroup(registry: Registry, name: string): object | undefined {
  const group = groupsOf(registry).find((one) => one.name === name);
  return group === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...group };
}

/** `/api/v1` and `/apis/<group>/<version>`; undefined where nothing is served. */
export function apiResourceList(registry: Registry, api: GroupVersionName): object | undefined {
  const definitions = registry.resourcesOf(api.group, api.version);
  if (definitions.length === 0) return undefined;
  return {
    kind: "APIResourceList",
    ...(api.group === "" ? {} : { apiVersion: "v1" }),
    groupVersion: groupVersionText(api),
    resources: definitions.flatMap((definition) => [
      resourceEntry(definition),
      ...definition.subresources.map((subresource) => subresourceEntry(definition, subresource)),
    ]),
  };
}

function resourceEntry(definition: ResourceDefinition): object {
  const { resource, singular, namespaced, kind, verbs, shortNames, categories, storageVersionHash } = definition;
  return {
    name: resource,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(storageVersionHash === "" ? {} : { storageVersionHash }),
  };
}

function subresourceEntry(definition: ResourceDefinition, subresource: SubresourceDefinition): object {
  const { name, kind, group, version, verbs } = subresource;
  const isOwn = group === definition.group && version === definition.version;
  return {
    name: `${definition.resource}/${name}`,
    singularName: "",
    namespaced: definition.namespaced,
    ...(isOwn ? {} : { group, version }),
    kind,
    verbs,
  };
}
