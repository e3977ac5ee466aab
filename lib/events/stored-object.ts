import type { Codec } from "../resource/codec/codec.ts";
import { hasEnvelope } from "../resource/codec/envelope.ts";
import type { NormalObject } from "../resource/codec/value-codec.ts";
import type { ResourceDefinition } from "../resource/kind.ts";
import type { Change } from "./envelope.ts";

/** The object of a change as the API would give it; throws when its bytes are not of an object of this name. */
export function decodeStored(codec: Codec, definition: ResourceDefinition, change: Change): NormalObject {
  const object = decodeBytes(codec, definition, change.object);
  const metadata = object["metadata"] as Record<string, unknown> | undefined;
  const { namespace = "", name } = metadata ?? {};
  if (metadata === undefined || name !== change.name || namespace !== change.namespace) {
    throw new Error(`the object ${String(namespace)}/${String(name)} is not ${change.namespace}/${change.name}`);
  }
  // The store holds no revisions: an object's is that of its key.
  metadata["resourceVersion"] = String(change.revision);
  return object;
}

function decodeBytes(codec: Codec, definition: ResourceDefinition, bytes: Uint8Array): NormalObject {
  if (!hasEnvelope(bytes)) return codec.decodeJson(definition.schema, bytes).object;
  const { apiVersion, kind, raw } = codec.decodeEnvelope(bytes);
  if (kind !== definition.kind) throw new Error(`the object is a ${kind}, not a ${definition.kind}`);
  return codec.decodeProtobuf(definition.schema, raw, { apiVersion, kind }).object;
}
