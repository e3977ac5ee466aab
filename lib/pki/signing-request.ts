import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

/** What a certificate signing request (PKCS #10) asks for; its signature was found good. */
export interface SigningRequest {
  /** Every common name of the subject; a good request has one. */
  readonly commonNames: readonly string[];
  readonly organizations: readonly string[];
  /** The subject has attributes that are neither. */
  readonly hasMoreSubject: boolean;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** Alternative names of other types: mail addresses, URIs and so on. */
  readonly otherNames: readonly string[];
  /** The key to be certified, as DER (SPKI). */
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

export interface SigningRequestSubject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const PEM = /^\s*-----BEGIN CERTIFICATE REQUEST-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE REQUEST-----\s*$/;

/** Throws an Error that says what is wrong, for people, when `pem` is not exactly one good request. */
export async function readSigningRequest(pem: string): Promise<SigningRequest> {
  if (!PEM.test(pem)) throw new Error("PEM block type must be CERTIFICATE REQUEST");
  let request: x509.Pkcs10CertificateRequest;
  let isSigned: boolean;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
    isSigned = await request.verify();
  } catch (cause) {
    throw new Error("the certificate request cannot be parsed", { cause });
  }
  if (!isSigned) throw new Error("the certificate request is not signed by its own key");
  const alternative = request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension);
  const names = alternative?.names.toJSON() ?? [];
  const ofType = (type: string) => names.filter((name) => name.type === type).map(({ value }) => String(value));
  const subject = request.subjectName.toJSON().flatMap((part) => Object.keys(part));
  return {
    commonNames: request.subjectName.getField("CN"),
    organizations: request.subjectName.getField("O"),
    hasMoreSubject: subject.some((attribute) => attribute !== "CN" && attribute !== "O"),
    dnsNames: ofType("dns"),
    ipAddresses: ofType("ip"),
    otherNames: names.filter(({ type }) => type !== "dns" && type !== "ip").map(({ type }) => type),
    publicKey: new Uint8Array(request.publicKey.rawData),
  };
}

/** A new key (P-256) and a request for it, both PEM. */
export async function createSigningRequest(
  subject: SigningRequestSubject,
): Promise<{ readonly requestPem: string; readonly keyPem: string }> {
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const names: x509.JsonGeneralNames = [
    ...(subject.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
    ...(subject.ipAddresses ?? []).map((value) => ({ type: "ip" as const, value })),
  ];
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [...(subject.organizations ?? []).map((group) => ({ O: [group] })), { CN: [subject.commonName] }],
    keys,
    signingAlgorithm: KEY_ALGORITHM,
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { requestPem: `${request.toString("pem")}\n`, keyPem: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") };
}
