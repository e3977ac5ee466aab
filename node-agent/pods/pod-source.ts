import { Informer, type InformerComponents } from "../../lib/controller/informer.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { pods } from "../../lib/gen/k8s/resources.ts";

/** The pods that the API wants on this node. */
export interface PodSource extends Startable {
  /** True once the first list was complete: only then is a pod that is not listed one to be ended (invariant 46). */
  readonly synced: boolean;
  get(uid: string): Pod | undefined;
  list(): readonly Pod[];
  /** A pod came, changed in what a node acts on, or went (`get` says which); `last` is its newest form. */
  onChange(listener: (uid: string, last: Pod) => void): void;
  onSynced(listener: () => void): void;
}

/** Follows the API through an informer, by uid: a pod of the same name may be another one. */
export class ApiPodSource implements PodSource {
  readonly #informer: Informer<Pod>;
  readonly #pods = new Map<string, Pod>();
  readonly #listeners: ((uid: string, last: Pod) => void)[] = [];
  readonly #syncListeners: (() => void)[] = [];

  constructor(components: InformerComponents, options: { nodeName: string }) {
    this.#informer = new Informer(components, pods, { fieldSelector: `spec.nodeName=${options.nodeName}` });
    this.#informer.addHandler({
      added: (pod) => this.#set(pod),
      updated: (pod) => this.#set(pod),
      deleted: (pod) => this.#remove(pod),
    });
  }

  get synced(): boolean {
    return this.#informer.synced;
  }

  async start(): Promise<void> {
    void this.#informer.whenSynced().then(
      () => {
        for (const listener of this.#syncListeners) listener();
      },
      () => {},
    );
    await this.#informer.start();
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  get(uid: string): Pod | undefined {
    return this.#pods.get(uid);
  }

  list(): readonly Pod[] {
    return [...this.#pods.values()];
  }

  onChange(listener: (uid: string, last: Pod) => void): void {
    this.#listeners.push(listener);
  }

  onSynced(listener: () => void): void {
    this.#syncListeners.push(listener);
  }

  #set(pod: Pod): void {
    const uid = pod.metadata?.uid ?? "";
    const before = this.#pods.get(uid);
    this.#pods.set(uid, pod);
    // Its own status comes back to the node that wrote it: no reason to look at the pod again.
    if (before !== undefined && wishOf(before) === wishOf(pod)) return;
    for (const listener of this.#listeners) listener(uid, pod);
  }

  #remove(last: Pod): void {
    const uid = last.metadata?.uid ?? "";
    if (!this.#pods.delete(uid)) return;
    for (const listener of this.#listeners) listener(uid, last);
  }
}

/** What of a pod its node acts on: everything but what the node itself writes. */
function wishOf(pod: Pod): string {
  const { generation, deletionTimestamp, deletionGracePeriodSeconds, labels, annotations } = pod.metadata ?? {};
  const gates = (pod.spec?.readinessGates ?? []).map(
    ({ conditionType }) => pod.status?.conditions?.find((condition) => condition.type === conditionType)?.status,
  );
  const grace = deletionGracePeriodSeconds === undefined ? "" : String(deletionGracePeriodSeconds);
  return JSON.stringify([String(generation), deletionTimestamp, grace, labels, annotations, gates]);
}
