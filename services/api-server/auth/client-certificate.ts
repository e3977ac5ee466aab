import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Identity } from "../core/request.ts";
import { AUTHENTICATED } from "./authorizer.ts";

const known = new WeakMap<TLSSocket, Identity>();

/** Who a verified client certificate names: CN is the user, each O a group. Undefined without one, or when it was not verified. */
export function certificateIdentity(socket: TLSSocket): Identity | undefined {
  const present = known.get(socket);
  if (present !== undefined) return present;
  if (!socket.authorized) return undefined;
  const raw: Uint8Array | undefined = socket.getPeerCertificate().raw;
  const identity = raw === undefined ? undefined : certificateSubject(raw);
  if (identity !== undefined) known.set(socket, identity);
  return identity;
}

/** The same of a certificate in DER that the transport has verified. */
export function certificateSubject(der: Uint8Array): Identity | undefined {
  const subject = new X509Certificate(der).toLegacyObject().subject as unknown as Record<string, unknown>;
  const user = subject["CN"];
  if (typeof user !== "string" || user === "") return undefined;
  const organizations = subject["O"];
  const groups = Array.isArray(organizations) ? organizations : organizations === undefined ? [] : [organizations];
  return { user, groups: [...groups.map(String), AUTHENTICATED] };
}
