import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import path from "node:path";
import type { Clock } from "../lib/core/clock.ts";
import type { KeyPair } from "../lib/core/key-pair.ts";
import type { Random } from "../lib/core/random.ts";
import type { CertificateRequest } from "../lib/pki/authority.ts";
import { type AuthorityName, type CertificateName, IdentityFolder } from "../lib/process/identity-folder.ts";
import { isKeyPair } from "../lib/process/is-key-pair.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import { Authorities, type ServiceAccountKeys } from "./pki/authorities.ts";
import { adoptEarlierLayout } from "./pki/earlier-layout.ts";
import { type IdentityName, identityPlan } from "./pki/identity-plan.ts";

export interface ClusterPkiComponents {
  readonly clock: Clock;
  readonly random: Random;
  /** Told each file that was written. */
  readonly wrote?: (file: string) => void;
}

const LEAF_VALIDITY_DAYS = 365;
/** A certificate is made anew when less than this share of its life is left. */
const RENEW_BELOW = 0.3;

/**
 * The cluster's authorities (`authorities/`) and, signed by them, one folder for each identity (`identities/NAME/`, see
 * lib/process/identity-folder.ts). What lacks is made when it is asked for, what nears its end is made anew, the rest stays.
 */
export class ClusterPki {
  readonly #authorities: Authorities;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #wrote: (file: string) => void;

  constructor(components: ClusterPkiComponents, folder: string) {
    this.#folder = folder;
    this.#clock = components.clock;
    this.#wrote = components.wrote ?? (() => {});
    adoptEarlierLayout(folder);
    this.#authorities = new Authorities({ ...components, wrote: this.#wrote }, path.join(folder, "authorities"));
  }

  authorityPem(name: AuthorityName): Promise<string> {
    return this.#authorities.certPem(name);
  }

  /** An authority with its key, for who signs in its name. */
  async authority(name: AuthorityName): Promise<KeyPair> {
    return { certPem: await this.#authorities.certPem(name), keyPem: await this.#authorities.keyPem(name) };
  }

  /** The key pair that signs service-account tokens. */
  serviceAccountKeys(): Promise<ServiceAccountKeys> {
    return this.#authorities.serviceAccountKeys();
  }

  /** Makes the identity's folder whole and resolves to its path. `hosts`: names and addresses that it serves at besides its own. */
  async identityFolder(identity: IdentityName, hosts: readonly string[] = []): Promise<string> {
    const plan = identityPlan(identity);
    const files = this.#filesOf(identity);
    for (const name of plan.trusts) files.write(`${name}-ca.crt`, await this.#authorities.certPem(name));
    for (const name of plan.signsAs ?? []) files.write(`${name}-ca.key`, await this.#authorities.keyPem(name));
    for (const name of Object.keys(plan.certificates)) {
      await this.certificate(identity, name as CertificateName, hosts);
    }
    if (plan.serviceAccountKeys) {
      const keys = await this.#authorities.serviceAccountKeys();
      files.write("service-account.pub", keys.publicKeyPem);
      files.write("service-account.key", keys.privateKeyPem);
    }
    if (plan.busAccount) files.write("bus-account.seed", await this.#authorities.busAccountSeed());
    if (plan.busServer) files.write("accounts.conf", await this.#authorities.busAccountsConf());
    return files.folder;
  }

  /** One certificate of an identity. Names that it once had stay with it; remove its files to be rid of them. */
  async certificate(identity: IdentityName, name: CertificateName, hosts: readonly string[] = []): Promise<KeyPair> {
    const plan = identityPlan(identity).certificates[name];
    if (plan === undefined) throw new Error(`${identity} has no certificate called ${name}`);
    const { authority, ...base } = plan;
    const files = this.#filesOf(identity);
    const present = readCertificate(files, name);
    const request = plan.usages.includes("server")
      ? withHosts(base, [...hosts, ...hostsOf(present?.certificate)])
      : base;
    if (present !== undefined && this.#isGood(present.certificate, request)) {
      const signer = new X509Certificate(await this.#authorities.certPem(authority));
      if (present.certificate.verify(signer.publicKey)) return present.pair;
    }
    const signer = await this.#authorities.signer(authority);
    const pair = await signer.issue({ ...request, validityDays: LEAF_VALIDITY_DAYS });
    files.replaceKeyPair(name, pair);
    return pair;
  }

  /** The text of the administrator's kubeconfig, which holds the certificate itself. */
  async kubeconfig(name: string, server: string): Promise<string> {
    const user = await this.certificate("admin", "client");
    return kubeconfigText(name, server, await this.authorityPem("server"), user);
  }

  /**
   * Writes `kubeconfig` into the administrator's folder. Without `server` it points where it pointed before, at first to
   * `firstServer`.
   */
  async writeKubeconfig(name: string, server: string | undefined, firstServer: string): Promise<void> {
    const files = this.#filesOf("admin");
    const before = serverIn(files.find("kubeconfig"));
    files.write("kubeconfig", await this.kubeconfig(name, server ?? before ?? firstServer));
  }

  #filesOf(identity: IdentityName): IdentityFolder {
    return new IdentityFolder(path.join(this.#folder, "identities", identity), this.#wrote);
  }

  #isGood(certificate: X509Certificate, request: Omit<CertificateRequest, "validityDays">): boolean {
    const endsMs = certificate.validToDate.getTime();
    const lifeMs = endsMs - certificate.validFromDate.getTime();
    if (endsMs - this.#clock.nowMs() < lifeMs * RENEW_BELOW) return false;
    const subject = [...(request.organizations ?? []).map((one) => `O=${one}`), `CN=${request.commonName}`];
    if (certificate.subject !== subject.join("\n")) return false;
    const wanted = [...(request.dnsNames ?? []), ...(request.ipAddresses ?? [])];
    const had = new Set(hostsOf(certificate).map(canonical));
    return wanted.every((host) => had.has(canonical(host)));
  }
}

/** Undefined as well when the files are damaged or do not belong together: they are then made anew. */
function readCertificate(files: IdentityFolder, name: CertificateName) {
  if (!files.has(`${name}.crt`) || !files.has(`${name}.key`)) return undefined;
  const pair = files.keyPair(name);
  return isKeyPair(pair) ? { certificate: new X509Certificate(pair.certPem), pair } : undefined;
}

function serverIn(kubeconfig: string | undefined): string | undefined {
  try {
    return JSON.parse(kubeconfig ?? "{}").clusters?.[0]?.cluster?.server;
  } catch {
    return undefined;
  }
}

function withHosts<R extends { dnsNames?: readonly string[]; ipAddresses?: readonly string[] }>(
  request: R,
  hosts: readonly string[],
): R {
  const known = new Set([...(request.dnsNames ?? []), ...(request.ipAddresses ?? [])].map(canonical));
  const more = [...new Set(hosts.map(canonical))].filter((host) => !known.has(host));
  return {
    ...request,
    dnsNames: [...(request.dnsNames ?? []), ...more.filter((host) => isIP(host) === 0)],
    ipAddresses: [...(request.ipAddresses ?? []), ...more.filter((host) => isIP(host) !== 0)],
  };
}

/** Names and addresses that the certificate is good for. */
function hostsOf(certificate: X509Certificate | undefined): string[] {
  const names = certificate?.subjectAltName?.split(", ") ?? [];
  return names.map((name) => name.replace(/^(DNS|IP Address):/, ""));
}

/** One spelling for each name and address; IPv6 has many. */
function canonical(host: string): string {
  return isIP(host) === 6 ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host.toLowerCase();
}
