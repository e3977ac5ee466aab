import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { encode } from "@nats-io/nkeys";
import { rawPublicKey } from "./fast-key.ts";
import { nkeyText, USER_PREFIX } from "./nkey-text.ts";

/** A user's key, which lives as long as the process and is written down nowhere. */
export class UserKey {
  readonly publicKey: string;
  readonly #privateKey: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#privateKey = privateKey;
    this.publicKey = nkeyText(USER_PREFIX, rawPublicKey(publicKey));
  }

  /** Answers what a server challenges a client with. */
  sign(nonce: string): string {
    return encode(sign(null, new TextEncoder().encode(nonce), this.#privateKey));
  }
}
