import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyPair } from "../core/key-pair.ts";

/** Whether the certificate is for the key; false as well when one of them cannot be read. */
export function isKeyPair({ certPem, keyPem }: KeyPair): boolean {
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}
