import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
    this.#settle(name);
    return { certPem: this.text(`${name}.crt`), keyPem: this.text(`${name}.key`) };
  }

  /** Puts another key and its certificate in place; after a crash at any point one of both pairs is whole. */
  replaceKeyPair(name: CertificateName, pair: { readonly certPem: string; readonly keyPem: string }): void {
    this.#settle(name);
    this.#draft(`${name}.crt`, pair.certPem);
    this.#draft(`${name}.key`, pair.keyPem);
    this.#place(`${name}.key`);
    this.#place(`${name}.crt`);
  }

  /** Writes one file whole. */
  write(file: string, text: string): void {
    this.#draft(file, text);
    this.#place(file);
  }

  /** A replacement that was broken off after its key is finished; one that was broken off before is forgotten. */
  #settle(name: CertificateName): void {
    if (!this.has(`${name}.crt.new`)) return;
    if (this.has(`${name}.key.new`) || !this.has(`${name}.key`)) return;
    if (isPair(this.text(`${name}.crt.new`), this.text(`${name}.key`))) this.#place(`${name}.crt`);
  }

  #draft(file: string, text: string): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const mode = file.endsWith(".key") ? 0o600 : 0o644;
    rmSync(path.join(this.folder, `${file}.new`), { force: true });
    writeFileSync(path.join(this.folder, `${file}.new`), text, { mode, flush: true });
  }

  #place(file: string): void {
    renameSync(path.join(this.folder, `${file}.new`), path.join(this.folder, file));
  }

  authorityPem(name: AuthorityName): string {
    return this.text(`${name}-ca.crt`);
  }
}

function isPair(certPem: string, keyPem: string): boolean {
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}
