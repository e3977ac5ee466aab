export const REGISTRY_PREFIX = "/registry/";

export interface ParsedKey {
  readonly storeKey: string;
  /** Segment(s) after `/registry/` that name the kind. */
  readonly prefix: string;
  readonly namespace: string;
  readonly name: string;
  /** `namespace/name` or `name`. */
  readonly key: string;
}

/** The key of an object as upstream stores it; names never hold a slash, so the key has one meaning. */
export function storeKey(prefix: string, namespace: string, name: string): string {
  return namespace === "" ? `${REGISTRY_PREFIX}${prefix}/${name}` : `${REGISTRY_PREFIX}${prefix}/${namespace}/${name}`;
}

/** `namespacedOf` says whether a prefix is one of a namespaced kind; undefined when nobody serves it. */
export function parseKey(
  bytes: Uint8Array,
  namespacedOf: (prefix: string) => boolean | undefined,
): ParsedKey | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  if (!text.startsWith(REGISTRY_PREFIX)) return undefined;
  const last = text.lastIndexOf("/");
  const name = text.slice(last + 1);
  const clusterPrefix = text.slice(REGISTRY_PREFIX.length, last);
  if (namespacedOf(clusterPrefix) === false) {
    return { storeKey: text, prefix: clusterPrefix, namespace: "", name, key: name };
  }
  const middle = clusterPrefix.lastIndexOf("/");
  if (middle < 0) return undefined;
  const prefix = clusterPrefix.slice(0, middle);
  if (namespacedOf(prefix) !== true) return undefined;
  const namespace = clusterPrefix.slice(middle + 1);
  return { storeKey: text, prefix, namespace, name, key: `${namespace}/${name}` };
}
