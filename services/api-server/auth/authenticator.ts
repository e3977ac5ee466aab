import type { TLSSocket } from "node:tls";
import { unauthorized } from "../../../lib/core/status-error.ts";
import type { Identity } from "../core/request.ts";
import { UNAUTHENTICATED } from "./authorizer.ts";
import { certificateIdentity } from "./client-certificate.ts";
import type { ServiceAccountTokens } from "./service-account-tokens.ts";

export const ANONYMOUS: Identity = { user: "system:anonymous", groups: [UNAUTHENTICATED] };

/** Who sends a request: a verified client certificate, else a token; credentials that are not good are refused. */
export class Authenticator {
  readonly #tokens: ServiceAccountTokens;

  constructor(tokens: ServiceAccountTokens) {
    this.#tokens = tokens;
  }

  /** `undefined`: no credentials were sent. */
  async authenticate(socket: TLSSocket, authorization: string | undefined): Promise<Identity | undefined> {
    const byCertificate = certificateIdentity(socket);
    if (byCertificate !== undefined) return byCertificate;
    return await this.byToken(authorization);
  }

  async byToken(authorization: string | undefined): Promise<Identity | undefined> {
    if (authorization === undefined || authorization === "") return undefined;
    const [scheme = "", token = ""] = authorization.split(" ", 2);
    if (scheme.toLowerCase() !== "bearer" || token === "") return undefined;
    const identity = await this.#tokens.authenticate(token);
    if (identity === undefined) throw unauthorized();
    return identity;
  }
}
