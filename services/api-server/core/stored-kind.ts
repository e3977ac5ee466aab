import type { ResourceDefinition } from "../../../lib/resource/kind.ts";
import type { Strategy } from "../strategy/strategy.ts";
import type { KubeObject } from "./kube-object.ts";

/** One served version of a kind with the functions that belong to it; made once, compared by identity. */
export interface ServedKind {
  readonly definition: ResourceDefinition;
  readonly stored: StoredKind;
  readonly strategy: Strategy;
  /** The normal form in this version of an object in the stored version; does not change its argument. */
  fromStorage(object: KubeObject): KubeObject;
  toStorage(object: KubeObject): KubeObject;
  encodeJson(object: KubeObject): Uint8Array;
  encodeProtobuf(object: KubeObject): Uint8Array;
}

/** A kind as it lies in the store: all its served versions share keys, revisions and cache. */
export interface StoredKind {
  /** After `/registry/`. */
  readonly prefix: string;
  readonly namespaced: boolean;
  readonly storage: ServedKind;
  /** The field by which many watchers select one value each; they are woken by it. */
  readonly indexField: string | undefined;
  decodeStored(bytes: Uint8Array): KubeObject;
  /** `object` is in the stored version and has no resourceVersion. */
  encodeStored(object: KubeObject): Uint8Array;
}
