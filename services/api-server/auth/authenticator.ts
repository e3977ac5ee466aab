import type { TLSSocket } from "node:tls";
import { unauthorized } from "../../../lib/core/status-error.ts";
import type { Identity } from "../core/request.ts";
import { UNAUTHENTICATED } from "./authorizer.ts";
import { certificateIdentity } from "./client-certificate.ts";

export const ANONYMOUS: Identity = { user: "system:anonymous", groups: [UNAUTHENTICATED] };

/** One sort of bearer token. */
export interface TokenAuthenticator {
  /** Undefined: the token is not of this sort, or not good. */
  authenticate(token: string): Promise<Identity | undefined>;
}

/** Who sends a request: a verified client certificate, else a token; credentials that are not good are refused. */
export class Authenticator {
  readonly #tokens: readonly TokenAuthenticator[];

  constructor(...tokens: readonly TokenAuthenticator[]) {
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
    for (const tokens of this.#tokens) {
      const identity = await tokens.authenticate(token);
      if (identity !== undefined) return identity;
    }
    throw unauthorized();
  }
}
