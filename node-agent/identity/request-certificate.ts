import type { Clock } from "../../lib/core/clock.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { CertificateSigningRequest } from "../../lib/gen/k8s/certificates/v1.ts";
import type { SigningRequestSubject } from "../../lib/pki/signing-request.ts";

/** How requests for certificates are made and looked at. */
export interface RequestsApi {
  create(request: CertificateSigningRequest): Promise<CertificateSigningRequest>;
  get(name: string): Promise<CertificateSigningRequest>;
}

export interface WantedCertificate {
  readonly purpose: "client" | "server";
  readonly nodeName: string;
  /** Names and addresses of a serving certificate. */
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

export interface RequestComponents {
  readonly requests: RequestsApi;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told what is waited for, when it is not there at once. */
  readonly waiting?: (what: string) => void;
}

const SIGNERS = {
  client: "kubernetes.io/kube-apiserver-client-kubelet",
  server: "kubernetes.io/kubelet-serving",
} as const;
const POLL_MS = 500;
/** Approval and signing take a moment where they are not people's. */
const PATIENCE_POLLS = 6;

/** Whom the certificate of a node names. */
export function nodeSubject({ nodeName, dnsNames, ipAddresses }: WantedCertificate): SigningRequestSubject {
  return {
    commonName: `system:node:${nodeName}`,
    organizations: ["system:nodes"],
    ...(dnsNames === undefined ? {} : { dnsNames }),
    ...(ipAddresses === undefined ? {} : { ipAddresses }),
  };
}

/**
 * A new key, and the certificate that the cluster gives for it. Waits until it is decided; rejects when it is denied, when
 * the signer refuses it, or when the request is gone.
 */
export async function requestCertificate(components: RequestComponents, wanted: WantedCertificate): Promise<KeyPair> {
  const { requests, clock, signal, waiting } = components;
  const { createSigningRequest } = await import("../../lib/pki/signing-request.ts");
  const { requestPem, keyPem } = await createSigningRequest(nodeSubject(wanted));
  const { metadata } = await requests.create({
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { generateName: wanted.purpose === "client" ? "node-csr-" : "node-serving-csr-" },
    spec: {
      request: Buffer.from(requestPem).toString("base64"),
      signerName: SIGNERS[wanted.purpose],
      usages: ["digital signature", wanted.purpose === "client" ? "client auth" : "server auth"],
    },
  });
  const name = metadata?.name ?? "";
  for (let polls = 1; ; polls++) {
    const request = await requests.get(name).catch(orLater);
    const certPem = Buffer.from(request?.status?.certificate ?? "", "base64").toString("utf8");
    if (certPem !== "") return { certPem, keyPem };
    refuseRefused(name, request);
    if (polls === PATIENCE_POLLS) waiting?.(whatIsWaitedFor(name, request));
    await clock.sleep(POLL_MS, signal);
  }
}

/** Only an answer that the request is gone, or that we may not see it, ends the waiting; the rest may pass. */
function orLater(thrown: unknown): undefined {
  if (thrown instanceof StatusError && thrown.code >= 400 && thrown.code < 500 && thrown.code !== 429) throw thrown;
  return undefined;
}

function refuseRefused(name: string, request: CertificateSigningRequest | undefined): void {
  for (const type of ["Denied", "Failed"] as const) {
    const condition = request?.status?.conditions?.find((one) => one.type === type);
    if (condition === undefined) continue;
    throw new Error(
      `the request ${name} for a certificate ${type === "Denied" ? "was denied" : "failed"}: ${condition.message ?? ""}`,
    );
  }
}

function whatIsWaitedFor(name: string, request: CertificateSigningRequest | undefined): string {
  if (request === undefined) return "the api-server to answer";
  const isApproved = request.status?.conditions?.some((condition) => condition.type === "Approved") ?? false;
  if (isApproved) return `a controller-manager to sign the request ${name}`;
  return `the request ${name} to be approved (by hand: kubectl certificate approve ${name})`;
}
