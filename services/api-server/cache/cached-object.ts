import { deepFreeze, type KubeObject } from "../core/kube-object.ts";
import type { ServedKind, StoredKind } from "../core/stored-kind.ts";
import type { MemoBudget } from "./memo-budget.ts";

interface View {
  object?: KubeObject;
  json?: Uint8Array;
  protobuf?: Uint8Array;
  /** The frames of watch streams, by format and type of event. */
  frames?: ReadonlyMap<string, Uint8Array>;
}

/**
 * One version of one object: the bytes of the store and a small header stay; the decoded object and the encodings that
 * clients asked for are made on demand, shared by everybody, and dropped when the budget needs room.
 */
export class CachedObject {
  readonly kind: StoredKind;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly stored: Uint8Array;
  readonly labels: Readonly<Record<string, string>>;
  readonly #budget: MemoBudget;
  #views: Map<ServedKind, View> | undefined;

  constructor(
    at: { kind: StoredKind; namespace: string; name: string },
    version: { revision: number; stored: Uint8Array; object?: KubeObject },
    budget: MemoBudget,
  ) {
    this.kind = at.kind;
    this.namespace = at.namespace;
    this.name = at.name;
    this.revision = version.revision;
    this.stored = version.stored;
    this.#budget = budget;
    if (version.object !== undefined) this.#remember(this.kind.storage, { object: deepFreeze(version.object) });
    this.labels = this.object().metadata?.labels ?? {};
  }

  get key(): string {
    return this.namespace === "" ? this.name : `${this.namespace}/${this.name}`;
  }

  get sizeBytes(): number {
    return this.stored.length;
  }

  /** The frozen object in a served version; resourceVersion is set. */
  object(as: ServedKind = this.kind.storage): KubeObject {
    const known = this.#views?.get(as)?.object;
    if (known !== undefined) return known;
    const made = as === this.kind.storage ? this.#decode() : as.fromStorage(this.object());
    return this.#remember(as, { object: deepFreeze(made) }).object!;
  }

  json(as: ServedKind): Uint8Array {
    return this.#views?.get(as)?.json ?? this.#remember(as, { json: as.encodeJson(this.object(as)) }).json!;
  }

  protobuf(as: ServedKind): Uint8Array {
    const known = this.#views?.get(as)?.protobuf;
    return known ?? this.#remember(as, { protobuf: as.encodeProtobuf(this.object(as)) }).protobuf!;
  }

  /** A frame of a watch stream around an encoding, made once for all who watch. */
  frame(as: ServedKind, name: string, make: () => Uint8Array): Uint8Array {
    const known = this.#views?.get(as)?.frames;
    const present = known?.get(name);
    if (present !== undefined) return present;
    const made = make();
    this.#remember(as, { frames: new Map([...(known ?? []), [name, made]]) });
    return made;
  }

  /** The same state under a later revision: what a watch shows of a deleted object. */
  withRevision(revision: number): CachedObject {
    return new CachedObject(this, { revision, stored: this.stored }, this.#budget);
  }

  /** Called by the budget. */
  forget(): void {
    this.#views = undefined;
  }

  #decode(): KubeObject {
    const object = this.kind.decodeStored(this.stored);
    object.metadata ??= {};
    object.metadata.resourceVersion = String(this.revision);
    return object;
  }

  #remember(as: ServedKind, part: View): View {
    if (this.#views === undefined) {
      this.#views = new Map();
      this.#budget.remember(this);
    }
    const view = { ...this.#views.get(as), ...part };
    this.#views.set(as, view);
    return view;
  }
}
