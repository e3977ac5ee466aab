import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { Codec } from "../../lib/resource/codec/codec.ts";
import { hasEnvelope } from "../../lib/resource/codec/envelope.ts";
import type { NormalObject } from "../../lib/resource/codec/value-codec.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { prefixEnd, type Store, type StoreEvent } from "../../lib/store/store.ts";

/** What one revision of the store did to one key. */
export interface KeyChange {
  readonly revision: number;
  readonly key: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** As it was stored; of a deletion the last state. */
  readonly value: Uint8Array;
}

/** Every change of the keys that begin with `prefix` after one revision, up to and including another. */
export async function historyOf(
  store: Store,
  prefix: string,
  range: { readonly after: number; readonly through: number },
): Promise<KeyChange[]> {
  const changes: KeyChange[] = [];
  if (range.through <= range.after) return changes;
  const startRevision = range.after + 1;
  // Of everything, so that the end of the range is seen whatever was written there.
  const watch = store.watch({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), startRevision, prevKv: true });
  try {
    for await (const batch of watch) {
      if (batch.type === "cancelled") throw new Error(`the history after ${range.after} is gone: ${batch.reason}`);
      if (batch.type !== "events") continue;
      for (const event of batch.events) if (event.kv.modRevision <= range.through) changes.push(changeOf(event));
      if (batch.revision >= range.through) return changes.filter(({ key }) => key.startsWith(prefix));
    }
  } finally {
    watch.cancel();
  }
  throw new Error("the store's watch ended");
}

function changeOf({ type, kv, prevKv }: StoreEvent): KeyChange {
  const key = Buffer.from(kv.key).toString();
  const base = { revision: kv.modRevision, key };
  if (type === "delete") return { ...base, type: "DELETED", value: prevKv?.value ?? new Uint8Array() };
  return { ...base, type: kv.version === 1 ? "ADDED" : "MODIFIED", value: kv.value };
}

/** Keys and values that there are now. */
export async function stored(store: Store, prefix: string): Promise<Map<string, Uint8Array>> {
  const key = Buffer.from(prefix);
  const { kvs } = await store.range({ key, rangeEnd: prefixEnd(key) });
  return new Map(kvs.map((kv) => [Buffer.from(kv.key).toString(), kv.value]));
}

const registry = loadRegistry(kindDescriptors);
const codec = new Codec();

/** Decodes what the store holds of objects of one kind. */
export function storedDecoder(group: string, version: string, resource: string): (bytes: Uint8Array) => NormalObject {
  const definition = registry.resource(group, version, resource);
  if (definition === undefined) throw new Error(`no kind ${resource}`);
  return (bytes) => {
    if (!hasEnvelope(bytes)) return codec.decodeJson(definition.schema, bytes).object;
    const { apiVersion, kind, raw } = codec.decodeEnvelope(bytes);
    return codec.decodeProtobuf(definition.schema, raw, { apiVersion, kind }).object;
  };
}
