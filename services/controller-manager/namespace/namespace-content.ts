import type { ApiClient } from "../../../lib/client/api-client.ts";
import type { ApiObject } from "../../../lib/client/api-object.ts";
import { asStatusError, type StatusError } from "../../../lib/core/status-error.ts";
import type { ResourceDefinition, ResourceRef } from "../../../lib/resource/kind.ts";
import type { ResourceCatalog } from "../manager-context.ts";

/** What a round of deleting left behind. */
export interface ContentOutcome {
  /** Objects per resource, by plural with group. */
  readonly remaining: ReadonlyMap<string, number>;
  /** Objects per finalizer that holds them. */
  readonly finalizers: ReadonlyMap<string, number>;
  readonly errors: readonly StatusError[];
}

const DELETES_AT_ONCE = 16;

/** Deletes everything that a namespace holds. */
export class NamespaceContent {
  private readonly api: ApiClient;
  private readonly catalog: ResourceCatalog;

  constructor(components: { api: ApiClient; catalog: ResourceCatalog }) {
    this.api = components.api;
    this.catalog = components.catalog;
  }

  /** Pods go first and everything else after the last of them, since they may need it while they end. */
  async remove(namespace: string, signal: AbortSignal): Promise<ContentOutcome> {
    const remaining = new Map<string, number>();
    const finalizers = new Map<string, number>();
    const errors: StatusError[] = [];
    for (const definition of this.deletable()) {
      if (signal.aborted) throw signal.reason;
      try {
        const left = await this.removeAll(definition, namespace);
        if (left.length > 0) remaining.set(nameOf(definition), left.length);
        for (const name of left.flatMap((object) => object.metadata?.finalizers ?? [])) {
          finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
        }
      } catch (thrown) {
        errors.push(asStatusError(thrown));
      }
      if (isPods(definition) && remaining.size > 0) break;
    }
    return { remaining, finalizers, errors };
  }

  private async removeAll(ref: ResourceRef, namespace: string): Promise<readonly ApiObject[]> {
    const objects = ref as ResourceRef<ApiObject>;
    const { items } = await this.api.list(objects, { namespace });
    const fresh = items.filter((object) => object.metadata?.deletionTimestamp === undefined);
    if (items.length === 0) return [];
    for (let start = 0; start < fresh.length; start += DELETES_AT_ONCE) {
      await Promise.all(fresh.slice(start, start + DELETES_AT_ONCE).map((object) => this.removeOne(objects, object)));
    }
    return (await this.api.list(objects, { namespace })).items;
  }

  private async removeOne(ref: ResourceRef<ApiObject>, object: ApiObject): Promise<void> {
    const { namespace = "", name = "" } = object.metadata ?? {};
    try {
      await this.api.delete(ref, { namespace, name }, { propagationPolicy: "Background" });
    } catch (thrown) {
      if (asStatusError(thrown).code !== 404) throw thrown;
    }
  }

  /** One resource per stored kind: two groups may show the same objects. */
  private deletable(): ResourceDefinition[] {
    const byStorage = new Map<string, ResourceDefinition>();
    for (const definition of this.catalog.resources()) {
      const { namespaced, stored, verbs, storage } = definition;
      const usable = namespaced && stored && verbs.includes("list") && verbs.includes("delete");
      if (usable && !byStorage.has(storage.prefix)) byStorage.set(storage.prefix, definition);
    }
    return [...byStorage.values()].sort((a, b) => Number(isPods(b)) - Number(isPods(a)));
  }
}

function isPods(definition: ResourceDefinition): boolean {
  return definition.group === "" && definition.resource === "pods";
}

function nameOf({ group, resource }: ResourceDefinition): string {
  return `${resource}.${group}`;
}
