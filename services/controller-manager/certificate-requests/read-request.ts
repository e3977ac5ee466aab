import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import type { SigningRequest } from "../../../lib/pki/signing-request.ts";

/** What the object asks for. The library is loaded when there is something to read. */
export async function readRequest(object: CertificateSigningRequest): Promise<SigningRequest> {
  const { readSigningRequest } = await import("../../../lib/pki/signing-request.ts");
  return await readSigningRequest(Buffer.from(object.spec?.request ?? "", "base64").toString("latin1"));
}
