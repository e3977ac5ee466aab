import type { SigningRequest } from "../../../lib/pki/signing-request.ts";
import { type KubeObject, textAt } from "../core/kube-object.ts";

/** What a CertificateSigningRequest asks for; rejects with words for people. The library is loaded when the first one comes. */
export async function signingRequestOf(object: KubeObject): Promise<SigningRequest> {
  const pem = Buffer.from(textAt(object, "spec", "request"), "base64").toString("latin1");
  const { readSigningRequest } = await import("../../../lib/pki/signing-request.ts");
  return await readSigningRequest(pem);
}
