import type { ApiClient } from "../../../lib/client/api-client.ts";
import type { ApiObject, ApiOwnerReference } from "../../../lib/client/api-object.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { ResourceDefinition, ResourceRef } from "../../../lib/resource/kind.ts";
import type { ResourceCatalog } from "../manager-context.ts";

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";

/** What a live read says of an owner. "unreadable": of a kind that is not known, so that nothing may be concluded. */
export type OwnerState = "solid" | "waiting" | "absent" | "unreadable";

/** Asks the API, never a cache: what is deleted for want of an owner does not come back (invariant 37). */
export class OwnerLookup {
  private readonly api: ApiClient;
  private readonly catalog: ResourceCatalog;

  constructor(components: { api: ApiClient; catalog: ResourceCatalog }) {
    this.api = components.api;
    this.catalog = components.catalog;
  }

  /** Fails when the API cannot say. */
  async stateOf(owner: ApiOwnerReference, child: ApiObject): Promise<OwnerState> {
    const definition = this.definitionOf(owner);
    if (definition === undefined) return "unreadable";
    const namespace = child.metadata?.namespace;
    if (definition.namespaced && namespace === undefined) return "unreadable";
    const key = { name: owner.name ?? "", ...(definition.namespaced && namespace !== undefined ? { namespace } : {}) };
    try {
      const live = await this.api.get(definition as ResourceRef<ApiObject>, key);
      if (live.metadata?.uid !== owner.uid) return "absent";
      return isWaiting(live) ? "waiting" : "solid";
    } catch (thrown) {
      if (asStatusError(thrown).code === 404) return "absent";
      throw thrown;
    }
  }

  private definitionOf(owner: ApiOwnerReference): ResourceDefinition | undefined {
    const [group, version] = splitApiVersion(owner.apiVersion ?? "");
    return this.catalog
      .resources()
      .find((one) => one.group === group && one.version === version && one.kind === owner.kind && one.stored);
  }
}

/** Is being deleted and waits for what it owns to go first. */
export function isWaiting(object: ApiObject): boolean {
  return isDying(object, FOREGROUND);
}

export function isDying(object: ApiObject, finalizer: string): boolean {
  const { deletionTimestamp, finalizers } = object.metadata ?? {};
  return deletionTimestamp !== undefined && (finalizers?.includes(finalizer) ?? false);
}

function splitApiVersion(apiVersion: string): [group: string, version: string] {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? ["", apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
}
