import type { WatchCache } from "../cache/watch-cache.ts";
import type { KindTable } from "../core/kind-table.ts";
import { textAt } from "../core/kube-object.ts";
import type { StoredKind } from "../core/stored-kind.ts";
import { podReferences, volumeSecrets } from "./pod-references.ts";

/** What belongs to a node's pods, from the watch cache. */
export class NodeView {
  readonly #cache: WatchCache;
  readonly #pods: StoredKind;
  readonly #claims: StoredKind;
  readonly #volumes: StoredKind;

  constructor(components: { cache: WatchCache; kinds: KindTable }) {
    const { cache, kinds } = components;
    this.#cache = cache;
    this.#pods = kinds.get("", "v1", "pods").stored;
    this.#claims = kinds.get("", "v1", "persistentvolumeclaims").stored;
    this.#volumes = kinds.get("", "v1", "persistentvolumes").stored;
  }

  hasPod(node: string, namespace: string, name: string): boolean {
    return this.#cache.of(this.#pods).get(`${namespace}/${name}`)?.indexValue === node;
  }

  /** Whether a pod of the node refers to this object, itself or by its volumes. */
  refersTo(node: string, resource: string, namespace: string, name: string): boolean {
    const wanted = `${resource}/${namespace}/${name}`;
    for (const pod of this.#cache.of(this.#pods).withIndexValue(node)) {
      // What a pod names itself is in its namespace; only volumes lead elsewhere.
      if (pod.namespace === namespace && podReferences(pod.object()).has(wanted)) return true;
    }
    if (resource === "persistentvolumes") return this.#volumesOf(node).some((volume) => volume.name === name);
    if (resource !== "secrets") return false;
    return this.#volumesOf(node).some(({ name: volume, claimNamespace }) => {
      const object = this.#cache.of(this.#volumes).get(volume)?.object();
      return object !== undefined && volumeSecrets(object, claimNamespace).has(wanted);
    });
  }

  /** The volumes that the claims of the node's pods are bound to. */
  #volumesOf(node: string): { name: string; claimNamespace: string }[] {
    const volumes: { name: string; claimNamespace: string }[] = [];
    for (const pod of this.#cache.of(this.#pods).withIndexValue(node)) {
      for (const reference of podReferences(pod.object())) {
        const [resource, namespace, name] = reference.split("/");
        if (resource !== "persistentvolumeclaims") continue;
        const claim = this.#cache.of(this.#claims).get(`${namespace}/${name}`)?.object();
        const volume = textAt(claim, "spec", "volumeName");
        if (volume !== "" && this.#isBoundTo(volume, namespace!, name!))
          volumes.push({ name: volume, claimNamespace: namespace! });
      }
    }
    return volumes;
  }

  /** Both sides must say so: whoever may write claims could name any volume. */
  #isBoundTo(volume: string, namespace: string, claim: string): boolean {
    const object = this.#cache.of(this.#volumes).get(volume)?.object();
    return (
      textAt(object, "spec", "claimRef", "namespace") === namespace &&
      textAt(object, "spec", "claimRef", "name") === claim
    );
  }
}
