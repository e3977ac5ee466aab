import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** `server`, `client` and so on: the certificate is `NAME.crt`, its key `NAME.key`, both PEM. */
export type CertificateName = "server" | "client" | "store-client" | "kubelet-client" | "front-proxy-client";

/** The authority's certificate is `NAME-ca.crt`. One file may hold several, so that an authority can be replaced. */
export type AuthorityName = "client" | "server" | "kubelet" | "store" | "front-proxy";

/**
 * What one role holds to prove itself and to check others (`--identity=DIR`): a flat folder of files that `keelson pki` or
 * `keelson node join` made. Files are read when they are asked for, so that a certificate that was renewed is seen.
 */
export class IdentityFolder {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = path.resolve(folder);
  }

  has(file: string): boolean {
    return existsSync(path.join(this.folder, file));
  }

  /** Throws an error for people when the file is missing or cannot be read. */
  text(file: string): string {
    try {
      return readFileSync(path.join(this.folder, file), "utf8");
    } catch (cause) {
      throw new Error(`the identity ${this.folder} lacks ${file}: make it with "keelson pki"`, { cause });
    }
  }

  keyPair(name: CertificateName): { certPem: string; keyPem: string } {
    return { certPem: this.text(`${name}.crt`), keyPem: this.text(`${name}.key`) };
  }

  authorityPem(name: AuthorityName): string {
    return this.text(`${name}-ca.crt`);
  }
}
