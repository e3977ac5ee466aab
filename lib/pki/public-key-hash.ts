import { createHash, type X509Certificate } from "node:crypto";

/** By which people pin an authority. As kubeadm has it: of the public key (SPKI in DER), so that a renewed certificate has the same. */
export function publicKeyHash(certificate: X509Certificate): string {
  return createHash("sha256")
    .update(certificate.publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}
