import { createHmac, timingSafeEqual } from "node:crypto";
import { badRequest } from "../../../lib/core/status-error.ts";

/** Where a list goes on: the same snapshot, from this key on. */
export interface ListPosition {
  readonly revision: number;
  /** `namespace/name` of the first object of the next page, or a string just before it. */
  readonly fromKey: string;
}

const SIGNATURE_BYTES = 16;

/**
 * Writes and reads continue tokens. They are signed with a key that all api-servers of a cluster share, and typed: a token
 * is only good for the list that it came from.
 */
export class ContinueTokens {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  write(position: ListPosition, scope: string): string {
    const body = Buffer.from(JSON.stringify({ v: "keelson/v1", rv: position.revision, start: position.fromKey }));
    return Buffer.concat([this.#sign(body, scope), body]).toString("base64url");
  }

  read(token: string, scope: string): ListPosition {
    const bytes = Buffer.from(token, "base64url");
    const body = bytes.subarray(SIGNATURE_BYTES);
    const signature = bytes.subarray(0, SIGNATURE_BYTES);
    if (signature.length !== SIGNATURE_BYTES || !timingSafeEqual(signature, this.#sign(body, scope))) {
      throw badRequest("continue key is not valid: the token does not belong to this list");
    }
    const parsed = JSON.parse(body.toString("utf8")) as { rv: number; start: string };
    return { revision: parsed.rv, fromKey: parsed.start };
  }

  #sign(body: Uint8Array, scope: string): Buffer {
    const mac = createHmac("sha256", this.#key).update(scope).update("\0").update(body);
    return mac.digest().subarray(0, SIGNATURE_BYTES);
  }
}
