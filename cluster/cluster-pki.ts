import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Clock } from "../lib/core/clock.ts";
import type { Random } from "../lib/core/random.ts";
import type { Authority, CertificateRequest, KeyPair } from "../lib/pki/authority.ts";

/** Authorities are separate by purpose, so that a node's serving certificate never passes for a client's. */
export type AuthorityName = "client" | "server" | "kubelet";

export interface ServiceAccountKeys {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
}

const LEAF_VALIDITY_DAYS = 365;
/** A certificate is made anew at start when less than this share of its life is left. */
const RENEW_BELOW = 0.3;

/** The cluster's authorities and identities as files: made when first asked for, read from then on. */
export class ClusterPki {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(components: { clock: Clock; random: Random }, folder: string) {
    this.#folder = folder;
    this.#clock = components.clock;
    this.#random = components.random;
  }

  async authorityPem(name: AuthorityName): Promise<string> {
    const file = path.join(this.#folder, `${name}-ca.crt`);
    if (!existsSync(file)) await this.#authority(name);
    return readFileSync(file, "utf8");
  }

  /** The identity `name`, signed by `authority`; made anew when its names changed or its life nears the end. */
  async identity(
    name: string,
    authority: AuthorityName,
    request: Omit<CertificateRequest, "validityDays">,
  ): Promise<KeyPair> {
    const present = this.#read(name);
    if (present !== undefined && this.#stillGood(present, request)) return present;
    const signer = await this.#authority(authority);
    const pair = await signer.issue({ ...request, validityDays: LEAF_VALIDITY_DAYS });
    this.#write(name, pair);
    return pair;
  }

  /** The key pair that signs service-account tokens. */
  async serviceAccountKeys(): Promise<ServiceAccountKeys> {
    const privateFile = path.join(this.#folder, "service-account.key");
    const publicFile = path.join(this.#folder, "service-account.pub");
    if (existsSync(privateFile) && existsSync(publicFile)) {
      return { privateKeyPem: readFileSync(privateFile, "utf8"), publicKeyPem: readFileSync(publicFile, "utf8") };
    }
    const { generateSigningKey } = await import("../lib/pki/authority.ts");
    const keys = await generateSigningKey();
    this.#writeFile(publicFile, keys.publicKeyPem, 0o644);
    this.#writeFile(privateFile, keys.privateKeyPem, 0o600);
    return keys;
  }

  async #authority(name: AuthorityName): Promise<Authority> {
    // Imported when something must be signed: a restart signs nothing and need not load the library.
    const { Authority } = await import("../lib/pki/authority.ts");
    const present = this.#read(`${name}-ca`);
    if (present !== undefined) return Authority.load(present, this.#clock, this.#random);
    const authority = await Authority.create(`keelson-${name}-ca`, this.#clock, this.#random);
    this.#write(`${name}-ca`, authority);
    return authority;
  }

  #stillGood(pair: KeyPair, request: Omit<CertificateRequest, "validityDays">): boolean {
    const certificate = new X509Certificate(pair.certPem);
    const endsMs = certificate.validToDate.getTime();
    const lifeMs = endsMs - certificate.validFromDate.getTime();
    if (endsMs - this.#clock.nowMs() < lifeMs * RENEW_BELOW) return false;
    const dnsNames = (request.dnsNames ?? []).every((name) => certificate.checkHost(name) !== undefined);
    return dnsNames && (request.ipAddresses ?? []).every((address) => certificate.checkIP(address) !== undefined);
  }

  #read(name: string): KeyPair | undefined {
    const certFile = path.join(this.#folder, `${name}.crt`);
    const keyFile = path.join(this.#folder, `${name}.key`);
    if (!existsSync(certFile) || !existsSync(keyFile)) return undefined;
    return { certPem: readFileSync(certFile, "utf8"), keyPem: readFileSync(keyFile, "utf8") };
  }

  /** The key first: a certificate without its key would look present after a crash in between. */
  #write(name: string, pair: KeyPair): void {
    this.#writeFile(path.join(this.#folder, `${name}.key`), pair.keyPem, 0o600);
    this.#writeFile(path.join(this.#folder, `${name}.crt`), pair.certPem, 0o644);
  }

  #writeFile(file: string, text: string, mode: number): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const draft = `${file}.new`;
    writeFileSync(draft, text, { mode, flush: true });
    renameSync(draft, file);
  }
}
