import type { SigningRequest } from "../../../lib/pki/signing-request.ts";
import type { KubeObject } from "../core/kube-object.ts";
import { valueAt } from "../core/kube-object.ts";

const known = new WeakMap<KubeObject, Promise<SigningRequest>>();

/** What a CertificateSigningRequest asks for; rejects with words for people. The library is loaded when the first one comes. */
export function signingRequestOf(object: KubeObject): Promise<SigningRequest> {
  const present = known.get(object);
  if (present !== undefined) return present;
  const bytes = valueAt(object, "spec", "request");
  const pem = bytes instanceof Uint8Array ? Buffer.from(bytes).toString("latin1") : "";
  const read = import("../../../lib/pki/signing-request.ts").then(({ readSigningRequest }) => readSigningRequest(pem));
  known.set(object, read);
  return read;
}
