import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { encode } from "@nats-io/nkeys";
import { publicUserKey } from "./public-user-key.ts";

/** A user's key, which lives as long as the process and is written down nowhere. */
export class UserKey {
  readonly publicKey: string;
  readonly #privateKey: KeyObject;

  /** By node:crypto: the package's own JavaScript would hold the loop up for 20 ms and more. */
  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#privateKey = privateKey;
    this.publicKey = publicUserKey(Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url"));
  }

  /** Answers what a server challenges a client with. */
  sign(nonce: string): string {
    return encode(sign(null, new TextEncoder().encode(nonce), this.#privateKey));
  }
}
