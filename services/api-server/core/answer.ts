import type { CachedObject } from "../cache/cached-object.ts";
import type { KubeObject } from "./kube-object.ts";
import type { StatusCodec, StatusLike } from "./status-codec.ts";
import type { ServedKind } from "./stored-kind.ts";

/** An object in the version that was asked for; encodings are made when a face wants them. */
export interface ObjectView {
  readonly kind: ServedKind;
  readonly object: KubeObject;
  json(): Uint8Array;
  protobuf(): Uint8Array;
}

export interface Answer {
  /** HTTP's code: 200, 201 or 202. */
  readonly code: number;
  readonly view: ObjectView;
}

export function viewOf(cached: CachedObject, kind: ServedKind): ObjectView {
  return {
    kind,
    get object() {
      return cached.object(kind);
    },
    json: () => cached.json(kind),
    protobuf: () => cached.protobuf(kind),
  };
}

export function statusView(status: StatusLike, kind: ServedKind, codec: StatusCodec): ObjectView {
  return {
    kind,
    object: status as unknown as KubeObject,
    json: () => codec.json(status),
    protobuf: () => codec.protobuf(status),
  };
}

/** An object that is not in the store: dry runs, reviews. */
export function plainView(object: KubeObject, kind: ServedKind): ObjectView {
  return {
    kind,
    object,
    json: () => kind.encodeJson(object),
    protobuf: () => kind.encodeProtobuf(object),
  };
}
