import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { fromSeed, type KeyPair } from "@nats-io/nkeys";
import { nkeyText } from "./nkey-text.ts";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** DER of a private key of Ed25519 up to its 32 bytes (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** The key of an NKEY seed, by node:crypto: the package's own JavaScript would hold the loop up for 10 ms at each use. */
export function fastKey(seed: string): KeyPair {
  const pair = fromSeed(new TextEncoder().encode(seed));
  const { prefix, raw } = decodeSeed(seed);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, raw]), format: "der", type: "pkcs8" });
  const publicKey = nkeyText(prefix, rawPublicKey(createPublicKey(key)));
  return Object.assign(Object.create(pair) as KeyPair, {
    getPublicKey: () => publicKey,
    sign: (input: Uint8Array) => new Uint8Array(sign(null, input, key)),
  });
}

/** The 32 bytes of a public key of Ed25519. */
export function rawPublicKey(key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
}

/** Base32 of two bytes that say what it is, the 32 of the key, and two of a checksum, which `fromSeed` looks at. */
function decodeSeed(seed: string): { prefix: number; raw: Uint8Array } {
  let bits = 0n;
  for (const character of seed) bits = (bits << 5n) | BigInt(BASE32.indexOf(character));
  const bytes = Buffer.from((bits >> 2n).toString(16).padStart(72, "0"), "hex");
  // The second prefix, that of the public key, begins after five bits of the first.
  return { prefix: (bytes.readUInt16BE(0) >> 3) & 0xff, raw: bytes.subarray(2, 34) };
}
