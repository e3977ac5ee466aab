import type { Identity } from "../core/request.ts";

const PREFIX = "system:node:";
const NODES = "system:nodes";

/** The name of the node that this identity is; undefined for everybody else. */
export function nodeNameOf(identity: Identity): string | undefined {
  if (!identity.user.startsWith(PREFIX) || !identity.groups.includes(NODES)) return undefined;
  return identity.user.slice(PREFIX.length) || undefined;
}
