import type { KubeObject } from "../core/kube-object.ts";

/** A map of bytes may hold null, which the store reads back as empty: it becomes so before anybody looks at it. */
export function emptyBytes(object: KubeObject, member: string): void {
  const map = object[member];
  if (typeof map !== "object" || map === null) return;
  const entries = map as Record<string, unknown>;
  for (const [key, value] of Object.entries(entries)) if (value === null) entries[key] = "";
}
