import { type ApiObject, keyOf } from "../../../lib/client/api-object.ts";
import type { ResourceDefinition } from "../../../lib/resource/kind.ts";
import { isWaiting } from "./owner-lookup.ts";

/** One object of any kind, by name. */
export interface GraphNode {
  readonly definition: ResourceDefinition;
  readonly key: string;
}

/** `apps/replicasets x/web`: the key of the work queue. */
export function nodeText(node: GraphNode): string {
  return `${node.definition.group}/${node.definition.resource} ${node.key}`;
}

/** Who owns whom, by uid, as far as the caches know. */
export class OwnerGraph {
  private readonly existing = new Set<string>();
  private readonly waiting = new Map<string, GraphNode>();
  private readonly children = new Map<string, Map<string, GraphNode>>();

  exists(uid: string): boolean {
    return this.existing.has(uid);
  }

  childrenOf(uid: string): GraphNode[] {
    return [...(this.children.get(uid)?.values() ?? [])];
  }

  /** The owners of this object that wait for their children to go. */
  waitingOwnersOf(object: ApiObject): GraphNode[] {
    return (object.metadata?.ownerReferences ?? []).flatMap(({ uid = "" }) => this.waiting.get(uid) ?? []);
  }

  put(definition: ResourceDefinition, object: ApiObject, old: ApiObject | undefined): void {
    const node = { definition, key: keyOf(object) };
    this.existing.add(object.metadata?.uid ?? "");
    if (isWaiting(object)) this.waiting.set(object.metadata?.uid ?? "", node);
    if (old !== undefined) this.unlink(node, old);
    for (const { uid = "" } of object.metadata?.ownerReferences ?? []) {
      const members = this.children.get(uid) ?? new Map<string, GraphNode>();
      members.set(nodeText(node), node);
      this.children.set(uid, members);
    }
  }

  remove(definition: ResourceDefinition, object: ApiObject): void {
    this.existing.delete(object.metadata?.uid ?? "");
    this.waiting.delete(object.metadata?.uid ?? "");
    this.unlink({ definition, key: keyOf(object) }, object);
  }

  private unlink(node: GraphNode, object: ApiObject): void {
    for (const { uid = "" } of object.metadata?.ownerReferences ?? []) {
      const members = this.children.get(uid);
      members?.delete(nodeText(node));
      if (members?.size === 0) this.children.delete(uid);
    }
  }
}
