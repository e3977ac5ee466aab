import type { ApiObject } from "../client/api-object.ts";
import type { Startable } from "../core/startable.ts";
import type { ResourceRef } from "../resource/kind.ts";
import { Informer, type InformerComponents, type InformerOptions } from "./informer.ts";

/** One informer per resource, shared by the controllers of a process; indexes are added by whoever needs them. */
export class InformerSet implements Startable {
  private readonly components: InformerComponents;
  private readonly shared = new Map<string, Informer<ApiObject>>();
  private readonly own: Startable[] = [];

  constructor(components: InformerComponents) {
    this.components = components;
  }

  /** Of all namespaces, without selectors. Ask before `start`. */
  of<T extends ApiObject>(ref: ResourceRef<T>): Informer<T> {
    const name = `${ref.group}/${ref.version}/${ref.resource}`;
    const found = this.shared.get(name);
    if (found !== undefined) return found as unknown as Informer<T>;
    const informer = new Informer<T>(this.components, ref);
    this.shared.set(name, informer as unknown as Informer<ApiObject>);
    return informer;
  }

  /** One of its own, with selectors; started and stopped with the set. */
  selected<T extends ApiObject>(ref: ResourceRef<T>, options: InformerOptions<T>): Informer<T> {
    const informer = new Informer<T>(this.components, ref, options);
    this.own.push(informer);
    return informer;
  }

  async start(): Promise<void> {
    await Promise.all([...this.shared.values(), ...this.own].map((informer) => informer.start()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.shared.values(), ...this.own].map((informer) => informer.stop()));
  }
}

/** Resolves when all of them are synced. */
export function allSynced(informers: readonly { whenSynced(): Promise<void> }[]): () => Promise<unknown> {
  return () => Promise.all(informers.map((informer) => informer.whenSynced()));
}
