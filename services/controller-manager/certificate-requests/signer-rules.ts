import { createPublicKey } from "node:crypto";
import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import type { SigningRequest } from "../../../lib/pki/signing-request.ts";

export const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";
export const NODE_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet";
export const NODE_SERVING_SIGNER = "kubernetes.io/kubelet-serving";
export const NODES_GROUP = "system:nodes";
export const NODE_PREFIX = "system:node:";

/** What a signer's certificates are: source k8s.io/docs/reference/access-authn-authz/certificate-signing-requests. */
export interface SignerRule {
  readonly authority: "client" | "kubelet";
  readonly usage: "client" | "server";
  readonly maxSeconds: number;
  readonly isOfNode: boolean;
}

const DAY_SECONDS = 86_400;
/** Short lives stand in for revocation. */
const NODE_SECONDS = 30 * DAY_SECONDS;
const CLIENT_SECONDS = 365 * DAY_SECONDS;

export const SIGNERS: ReadonlyMap<string, SignerRule> = new Map([
  [CLIENT_SIGNER, { authority: "client", usage: "client", maxSeconds: CLIENT_SECONDS, isOfNode: false }],
  [NODE_CLIENT_SIGNER, { authority: "client", usage: "client", maxSeconds: NODE_SECONDS, isOfNode: true }],
  [NODE_SERVING_SIGNER, { authority: "kubelet", usage: "server", maxSeconds: NODE_SECONDS, isOfNode: true }],
]);

const GENERAL_USAGES = ["digital signature", "key encipherment"];
const RSA_MIN_BITS = 2048;
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];

/** Why the signer does not sign this; undefined when it does. */
export function misfit(rule: SignerRule, object: CertificateSigningRequest, asked: SigningRequest): string | undefined {
  const wanted = rule.usage === "client" ? "client auth" : "server auth";
  const usages: readonly string[] = object.spec?.usages ?? [];
  if (!usages.includes(wanted)) return `usages did not contain ${wanted}`;
  const foreign = usages.filter((usage) => usage !== wanted && !GENERAL_USAGES.includes(usage));
  if (foreign.length > 0) return `usages are not permitted: ${foreign.join(", ")}`;
  if (!isGoodKey(asked.publicKey)) return "the key is neither ECDSA on P-256 or above nor RSA of 2048 bits or more";
  if (asked.commonNames.length !== 1 || asked.commonNames[0] === "") return "subject must have one common name";
  if (asked.otherNames.length > 0) return "URI, mail and other alternative names are not allowed";
  return rule.isOfNode ? nodeMisfit(rule, asked) : asked.hasMoreSubject ? "subject has more than CN and O" : undefined;
}

function nodeMisfit(rule: SignerRule, asked: SigningRequest): string | undefined {
  if (asked.organizations.length !== 1 || asked.organizations[0] !== NODES_GROUP || asked.hasMoreSubject) {
    return `subject organization is not ${NODES_GROUP}`;
  }
  const name = asked.commonNames[0]!;
  if (!name.startsWith(NODE_PREFIX) || name === NODE_PREFIX)
    return `subject common name does not begin with ${NODE_PREFIX}`;
  const names = asked.dnsNames.length + asked.ipAddresses.length;
  if (rule.usage === "client" && names > 0) return "DNS and IP alternative names are not allowed";
  return rule.usage === "server" && names === 0 ? "at least one DNS or IP alternative name is required" : undefined;
}

function isGoodKey(publicKeyDer: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKeyDer), format: "der", type: "spki" });
    const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
    return key.asymmetricKeyType === "rsa" ? modulusLength >= RSA_MIN_BITS : CURVES.includes(namedCurve);
  } catch {
    return false;
  }
}
