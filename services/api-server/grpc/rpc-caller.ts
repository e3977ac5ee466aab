import { unauthorized } from "../../../lib/core/status-error.ts";
import type { ServerCall } from "../../../lib/transport/grpc-server.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { certificateSubject } from "../auth/client-certificate.ts";
import type { Identity } from "../core/request.ts";

/** Who calls: a verified client certificate, else a token. Whoever shows neither is refused. */
export async function callerOf(call: ServerCall, authenticator: Authenticator): Promise<Identity> {
  const certificate = call.peerCertificate;
  const byCertificate = certificate === undefined ? undefined : certificateSubject(certificate);
  const identity = byCertificate ?? (await authenticator.byToken(call.header("authorization")));
  if (identity === undefined) throw unauthorized();
  return identity;
}
