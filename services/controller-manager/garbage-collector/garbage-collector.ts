import type { ApiObject, ApiOwnerReference } from "../../../lib/client/api-object.ts";
import { keyOf, splitKey } from "../../../lib/client/api-object.ts";
import { Controller } from "../../../lib/controller/controller.ts";
import type { Informer } from "../../../lib/controller/informer.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { ResourceDefinition, ResourceRef } from "../../../lib/resource/kind.ts";
import type { ControllerFactory, ManagerContext } from "../manager-context.ts";
import { type GraphNode, nodeText, OwnerGraph } from "./owner-graph.ts";
import { FOREGROUND, isDying, ORPHAN, OwnerLookup, type OwnerState } from "./owner-lookup.ts";

/**
 * Deletes objects whose owners are gone, and serves the finalizers `foregroundDeletion` (children first) and `orphan`
 * (children stay). Keys name objects of any kind.
 */
export const garbageCollector: ControllerFactory = (context) => {
  const graph = new OwnerGraph();
  const kinds = new Map<string, { definition: ResourceDefinition; informer: Informer<ApiObject> }>();
  for (const definition of collectable(context)) {
    const informer = context.informers.of(definition as ResourceRef<ApiObject>);
    kinds.set(`${definition.group}/${definition.resource}`, { definition, informer });
  }
  const collector = new Collector(context, graph);
  const whenSynced = allSynced([...kinds.values()].map(({ informer }) => informer));
  const options = { name: "garbage-collector", workers: 20, whenSynced };

  const controller = new Controller(context, options, async (text) => {
    const space = text.indexOf(" ");
    const kind = kinds.get(text.slice(0, space));
    const object = kind?.informer.store.get(text.slice(space + 1));
    if (kind === undefined || object === undefined) return undefined;
    await collector.look(kind.definition, object, (node) => {
      const name = `${node.definition.group}/${node.definition.resource}`;
      return kinds.get(name)?.informer.store.get(node.key);
    });
    return undefined;
  });
  collector.enqueue = (node) => controller.queue.add(nodeText(node));

  for (const { definition, informer } of kinds.values()) {
    const wakeOwners = (object: ApiObject) => {
      for (const owner of graph.waitingOwnersOf(object)) collector.enqueue(owner);
    };
    const seen = (object: ApiObject, old: ApiObject | undefined) => {
      graph.put(definition, object, old);
      if (needsLook(object, old, graph)) collector.enqueue({ definition, key: keyOf(object) });
    };
    informer.addHandler({
      added: (object) => seen(object, undefined),
      updated: (object, old) => {
        seen(object, old);
        wakeOwners(old);
      },
      deleted: (object) => {
        graph.remove(definition, object);
        for (const child of graph.childrenOf(object.metadata?.uid ?? "")) collector.enqueue(child);
        wakeOwners(object);
      },
    });
  }
  return controller;
};

/** Whatever is stored, can be followed and deleted; Events own nothing and go by themselves. */
function collectable({ catalog }: ManagerContext): ResourceDefinition[] {
  const byStorage = new Map<string, ResourceDefinition>();
  for (const definition of catalog.resources()) {
    const { stored, verbs, storage, resource } = definition;
    const usable = stored && verbs.includes("list") && verbs.includes("watch") && verbs.includes("delete");
    if (usable && resource !== "events" && !byStorage.has(storage.prefix)) byStorage.set(storage.prefix, definition);
  }
  return [...byStorage.values()];
}

function needsLook(object: ApiObject, old: ApiObject | undefined, graph: OwnerGraph): boolean {
  if (isDying(object, ORPHAN) || isDying(object, FOREGROUND)) return true;
  const owners = object.metadata?.ownerReferences ?? [];
  if (owners.length === 0) return false;
  if (old !== undefined && JSON.stringify(old.metadata?.ownerReferences) === JSON.stringify(owners)) return false;
  return owners.some(({ uid = "" }) => !graph.exists(uid));
}

type Find = (node: GraphNode) => ApiObject | undefined;

/** What is done about one object. */
class Collector {
  enqueue: (node: GraphNode) => void = () => {};
  private readonly context: ManagerContext;
  private readonly graph: OwnerGraph;
  private readonly lookup: OwnerLookup;

  constructor(context: ManagerContext, graph: OwnerGraph) {
    this.context = context;
    this.graph = graph;
    this.lookup = new OwnerLookup(context);
  }

  async look(definition: ResourceDefinition, object: ApiObject, find: Find): Promise<void> {
    if (isDying(object, ORPHAN)) await this.orphanChildren(definition, object, find);
    else if (isDying(object, FOREGROUND)) await this.awaitChildren(definition, object, find);
    else if (object.metadata?.deletionTimestamp === undefined) await this.deleteIfUnowned(definition, object);
  }

  private async deleteIfUnowned(definition: ResourceDefinition, object: ApiObject): Promise<void> {
    const owners = object.metadata?.ownerReferences ?? [];
    if (owners.length === 0) return;
    const states = new Map<ApiOwnerReference, OwnerState>();
    for (const owner of owners) states.set(owner, await this.lookup.stateOf(owner, object));
    const has = (state: OwnerState) => [...states.values()].includes(state);
    if (has("unreadable")) return;
    const gone = owners.filter((owner) => states.get(owner) !== "solid");
    if (gone.length === owners.length) await this.delete(definition, object, has("waiting"));
    else if (gone.length > 0) await this.dropOwners(definition, object, gone);
  }

  /** A child of an owner that waits goes with its own children first, so that the whole tree goes bottom up. */
  private async delete(definition: ResourceDefinition, object: ApiObject, ownerWaits: boolean): Promise<void> {
    const { uid = "", resourceVersion = "", finalizers = [] } = object.metadata ?? {};
    const hasChildren = this.graph.childrenOf(uid).length > 0;
    const foreground = finalizers.includes(FOREGROUND) || (ownerWaits && hasChildren);
    const propagationPolicy = finalizers.includes(ORPHAN) ? "Orphan" : foreground ? "Foreground" : "Background";
    const key = splitKey(keyOf(object));
    try {
      await this.context.api.delete(definition as ResourceRef, key, { uid, resourceVersion, propagationPolicy });
    } catch (thrown) {
      if (asStatusError(thrown).code !== 404) throw thrown;
    }
  }

  private async dropOwners(
    definition: ResourceDefinition,
    child: ApiObject,
    owners: readonly ApiOwnerReference[],
  ): Promise<void> {
    const gone = new Set(owners.map((owner) => owner.uid));
    const left = (child.metadata?.ownerReferences ?? []).filter((owner) => !gone.has(owner.uid));
    const { uid, resourceVersion } = child.metadata ?? {};
    const body = { metadata: { uid, resourceVersion, ownerReferences: left.length === 0 ? null : left } };
    await this.patch(definition, child, body);
  }

  private async orphanChildren(definition: ResourceDefinition, owner: ApiObject, find: Find): Promise<void> {
    for (const node of this.graph.childrenOf(owner.metadata?.uid ?? "")) {
      const child = find(node);
      const mine = child?.metadata?.ownerReferences?.filter(({ uid }) => uid === owner.metadata?.uid) ?? [];
      if (child !== undefined) await this.dropOwners(node.definition, child, mine);
    }
    await this.dropFinalizer(definition, owner, ORPHAN);
  }

  private async awaitChildren(definition: ResourceDefinition, owner: ApiObject, find: Find): Promise<void> {
    const uid = owner.metadata?.uid ?? "";
    let blocked = false;
    for (const node of this.graph.childrenOf(uid)) {
      const reference = find(node)?.metadata?.ownerReferences?.find((candidate) => candidate.uid === uid);
      blocked ||= reference?.blockOwnerDeletion === true;
      this.enqueue(node);
    }
    if (!blocked) await this.dropFinalizer(definition, owner, FOREGROUND);
  }

  private async dropFinalizer(definition: ResourceDefinition, object: ApiObject, finalizer: string): Promise<void> {
    const { uid, resourceVersion, finalizers = [] } = object.metadata ?? {};
    const left = finalizers.filter((name) => name !== finalizer);
    const body = { metadata: { uid, resourceVersion, finalizers: left.length === 0 ? null : left } };
    await this.patch(definition, object, body);
  }

  /** The revision in the body makes it a conflict when the object has changed since. */
  private async patch(definition: ResourceDefinition, object: ApiObject, body: object): Promise<void> {
    try {
      await this.context.api.patch(definition as ResourceRef, splitKey(keyOf(object)), { type: "merge", body });
    } catch (thrown) {
      if (asStatusError(thrown).code !== 404) throw thrown;
    }
  }
}
