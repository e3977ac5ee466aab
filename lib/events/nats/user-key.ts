import { createUser, encode, type KeyPair } from "@nats-io/nkeys";
import { fastKey } from "./fast-key.ts";

/** A user's key, which lives as long as the process and is written down nowhere. */
export class UserKey {
  readonly publicKey: string;
  readonly #key: KeyPair;

  constructor() {
    this.#key = fastKey(new TextDecoder().decode(createUser().getSeed()));
    this.publicKey = this.#key.getPublicKey();
  }

  /** Answers what a server challenges a client with. */
  sign(nonce: string): string {
    return encode(this.#key.sign(new TextEncoder().encode(nonce)));
  }
}
