import "reflect-metadata";
import { createPublicKey, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { Clock } from "../core/clock.ts";
import type { KeyPair } from "../core/key-pair.ts";
import type { Random } from "../core/random.ts";

type CryptoKey = webcrypto.CryptoKey;
type CryptoKeyPair = webcrypto.CryptoKeyPair;

export interface CertificateRequest {
  /** Subject: the user name of a client, the host of a server. */
  readonly commonName: string;
  /** Groups of a client. */
  readonly organizations?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly usages: readonly ("client" | "server")[];
  readonly validityDays: number;
}

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Clocks of machines differ: certificates count from a little before they were made. */
const BACKDATE_MS = 5 * 60_000;
const AUTHORITY_VALIDITY_DAYS = 3_650;

/** Signs certificates of one purpose; separate purposes have separate authorities (RELIABILITY §5.2). */
export class Authority {
  readonly certPem: string;
  readonly keyPem: string;
  readonly #certificate: x509.X509Certificate;
  readonly #key: CryptoKey;
  readonly #clock: Clock;
  readonly #random: Random;

  private constructor(pair: KeyPair, key: CryptoKey, clock: Clock, random: Random) {
    this.certPem = pair.certPem;
    this.keyPem = pair.keyPem;
    this.#certificate = new x509.X509Certificate(pair.certPem);
    this.#key = key;
    this.#clock = clock;
    this.#random = random;
  }

  /** A new self-signed authority, valid for ten years; with `keyPem`, around a key that exists. */
  static async create(commonName: string, clock: Clock, random: Random, keyPem?: string): Promise<Authority> {
    const keys = keyPem === undefined ? await generateKeys() : await importKeys(keyPem);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(random),
      name: subjectOf(commonName, []),
      notBefore: new Date(clock.nowMs() - BACKDATE_MS),
      notAfter: new Date(clock.nowMs() + AUTHORITY_VALIDITY_DAYS * DAY_MS),
      signingAlgorithm: KEY_ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const pair = { certPem: pem(certificate), keyPem: await exportPrivateKey(keys.privateKey) };
    return new Authority(pair, keys.privateKey, clock, random);
  }

  static async load(pair: KeyPair, clock: Clock, random: Random): Promise<Authority> {
    return new Authority(pair, await importPrivateKey(pair.keyPem), clock, random);
  }

  async issue(request: CertificateRequest): Promise<KeyPair> {
    const keys = await generateKeys();
    const publicKey = new Uint8Array(await webcrypto.subtle.exportKey("spki", keys.publicKey));
    const certPem = await this.sign(request, publicKey);
    return { certPem, keyPem: await exportPrivateKey(keys.privateKey) };
  }

  /** A certificate, as PEM, for a key (SPKI in DER) that somebody else holds. It never outlives the authority. */
  async sign(request: CertificateRequest, publicKeyDer: Uint8Array<ArrayBuffer>): Promise<string> {
    const publicKey = new x509.PublicKey(publicKeyDer);
    const endMs = this.#clock.nowMs() + request.validityDays * DAY_MS;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(this.#random),
      subject: subjectOf(request.commonName, request.organizations ?? []),
      issuer: this.#certificate.subjectName,
      notBefore: new Date(this.#clock.nowMs() - BACKDATE_MS),
      notAfter: new Date(Math.min(endMs, this.#certificate.notAfter.getTime())),
      publicKey,
      signingKey: this.#key,
      signingAlgorithm: KEY_ALGORITHM,
      extensions: await this.#extensions(request, publicKey),
    });
    return pem(certificate);
  }

  async #extensions(request: CertificateRequest, publicKey: x509.PublicKey): Promise<x509.Extension[]> {
    const purposes = request.usages.map((usage) =>
      usage === "client" ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth,
    );
    const names: x509.JsonGeneralNames = [
      ...(request.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
      ...(request.ipAddresses ?? []).map((value) => ({ type: "ip" as const, value })),
    ];
    return [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(purposes),
      await x509.AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ];
  }
}

/** A key pair for signing service-account tokens (ES256), PEM. */
export async function generateSigningKey(): Promise<{ privateKeyPem: string; publicKeyPem: string }> {
  const keys = await generateKeys();
  const spki = await webcrypto.subtle.exportKey("spki", keys.publicKey);
  return {
    privateKeyPem: await exportPrivateKey(keys.privateKey),
    publicKeyPem: x509.PemConverter.encode(spki, "PUBLIC KEY"),
  };
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"])) as CryptoKeyPair;
}

async function exportPrivateKey(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

async function importPrivateKey(keyPem: string): Promise<CryptoKey> {
  const [der] = x509.PemConverter.decode(keyPem);
  if (der === undefined) throw new Error("the authority's key is not PEM");
  return webcrypto.subtle.importKey("pkcs8", der, KEY_ALGORITHM, true, ["sign"]);
}

async function importKeys(keyPem: string): Promise<CryptoKeyPair> {
  const spki = createPublicKey(keyPem).export({ type: "spki", format: "der" });
  const publicKey = await webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]);
  return { privateKey: await importPrivateKey(keyPem), publicKey };
}

function subjectOf(commonName: string, organizations: readonly string[]): x509.JsonName {
  return [...organizations.map((group) => ({ O: [group] })), { CN: [commonName] }];
}

function serialNumber(random: Random): string {
  const bytes = random.bytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x01;
  return Buffer.from(bytes).toString("hex");
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}
