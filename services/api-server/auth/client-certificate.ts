import type { TLSSocket } from "node:tls";
import type { Identity } from "../core/request.ts";
import { AUTHENTICATED } from "./authorizer.ts";

const known = new WeakMap<TLSSocket, Identity>();

/** Who a verified client certificate names: CN is the user, each O a group. Undefined without one, or when it was not verified. */
export function certificateIdentity(socket: TLSSocket): Identity | undefined {
  const present = known.get(socket);
  if (present !== undefined) return present;
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const user = subject?.CN;
  if (typeof user !== "string" || user === "") return undefined;
  const organisations: unknown = subject.O;
  const groups = Array.isArray(organisations)
    ? organisations
    : typeof organisations === "string"
      ? [organisations]
      : [];
  const identity = { user, groups: [...groups, AUTHENTICATED] };
  known.set(socket, identity);
  return identity;
}
