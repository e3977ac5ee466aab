import { badRequest, unauthorized } from "../../../lib/core/status-error.ts";
import type { ServerCall } from "../../../lib/transport/grpc-server.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { certificateSubject } from "../auth/client-certificate.ts";
import type { Identity } from "../core/request.ts";

const IMPERSONATION = ["impersonate-user", "impersonate-group", "impersonate-uid"];

/** Who calls: a verified client certificate, else a token. Whoever shows neither is refused. */
export async function callerOf(call: ServerCall, authenticator: Authenticator): Promise<Identity> {
  const certificate = call.peerCertificate;
  const byCertificate = certificate === undefined ? undefined : certificateSubject(certificate);
  const identity = byCertificate ?? (await authenticator.byToken(call.header("authorization")));
  if (identity === undefined) throw unauthorized();
  // Left unread they would be answered with the rights of the caller itself.
  const asked = IMPERSONATION.find((name) => call.header(name) !== undefined);
  if (asked !== undefined) throw badRequest(`${asked} is for REST: gRPC answers everybody as who they are`);
  return identity;
}
