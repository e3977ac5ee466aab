import { deepFreeze } from "../../../lib/client/deep-freeze.ts";
import { fieldText } from "../../../lib/resource/selector/field-selector.ts";
import type { KubeObject } from "../core/kube-object.ts";
import type { ServedKind, StoredKind } from "../core/stored-kind.ts";
import type { MemoBudget } from "./memo-budget.ts";

interface View {
  object?: KubeObject;
  json?: Uint8Array;
  protobuf?: Uint8Array;
  /** The frames of watch streams, by format and type of event. */
  frames?: ReadonlyMap<string, Uint8Array>;
}

/** Nobody can measure an object; about so many times its stored bytes. */
const OBJECT_SHARE = 5;

/**
 * One version of one object: the bytes of the store and a small header stay; the decoded object and the encodings that
 * clients asked for are made on demand, shared by everybody, and dropped when the budget needs room.
 */
export class CachedObject {
  readonly kind: StoredKind;
  readonly namespace: string;
  readonly name: string;
  /** `namespace/name` or `name`. */
  readonly key: string;
  readonly revision: number;
  readonly stored: Uint8Array;
  readonly labels: Readonly<Record<string, string>>;
  /** The text of the kind's index field; empty where it has none. */
  readonly indexValue: string;
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
    this.key = at.namespace === "" ? at.name : `${at.namespace}/${at.name}`;
    this.revision = version.revision;
    this.stored = version.stored;
    this.#budget = budget;
    if (version.object !== undefined) this.#rememberObject(this.kind.storage, version.object);
    const decoded = version.object ?? this.#decode();
    this.labels = decoded.metadata?.labels ?? {};
    this.indexValue = at.kind.indexField === undefined ? "" : fieldText(decoded, at.kind.indexField);
  }

  get sizeBytes(): number {
    return this.stored.length;
  }

  /** The frozen object in a served version; resourceVersion is set. */
  object(as: ServedKind = this.kind.storage): KubeObject {
    const known = this.#views?.get(as)?.object;
    if (known !== undefined) return known;
    const made = as === this.kind.storage ? this.#decode() : as.fromStorage(this.object());
    return this.#rememberObject(as, made);
  }

  json(as: ServedKind): Uint8Array {
    const known = this.#views?.get(as)?.json;
    if (known !== undefined) return known;
    const json = as.encodeJson(this.#forEncoding(as));
    this.#remember(as, { json }, json.length);
    return json;
  }

  protobuf(as: ServedKind): Uint8Array {
    const known = this.#views?.get(as)?.protobuf;
    if (known !== undefined) return known;
    const protobuf = as.encodeProtobuf(this.#forEncoding(as));
    this.#remember(as, { protobuf }, protobuf.length);
    return protobuf;
  }

  /** A frame of a watch stream around an encoding, made once for all who watch. */
  frame(as: ServedKind, name: string, make: () => Uint8Array): Uint8Array {
    const known = this.#views?.get(as)?.frames;
    const present = known?.get(name);
    if (present !== undefined) return present;
    const made = make();
    this.#remember(as, { frames: new Map([...(known ?? []), [name, made]]) }, made.length);
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

  /** A list must not fill memory with decoded objects: one that is only encoded is let go at once. */
  #forEncoding(as: ServedKind): KubeObject {
    const known = this.#views?.get(as)?.object;
    if (known !== undefined) return known;
    return as === this.kind.storage ? this.#decode() : as.fromStorage(this.#decode());
  }

  #decode(): KubeObject {
    const object = this.kind.decodeStored(this.stored);
    object.metadata ??= {};
    object.metadata.resourceVersion = String(this.revision);
    return object;
  }

  #rememberObject(as: ServedKind, made: KubeObject): KubeObject {
    const object = deepFreeze(made);
    this.#remember(as, { object }, this.stored.length * OBJECT_SHARE);
    return object;
  }

  #remember(as: ServedKind, part: View, costBytes: number): void {
    this.#views ??= new Map();
    this.#views.set(as, { ...this.#views.get(as), ...part });
    this.#budget.remember(this, costBytes);
  }
}
