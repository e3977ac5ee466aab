import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { KeyPair } from "../core/key-pair.ts";
import { isKeyPair } from "./is-key-pair.ts";
import { makeFolder } from "./make-folder.ts";

/** `server`, `client` and so on: the certificate is `NAME.crt`, its key `NAME.key`, both PEM. */
export type CertificateName = "server" | "client" | "store-client" | "kubelet-client" | "front-proxy-client";

/** The authority's certificate is `NAME-ca.crt`. One file may hold several, so that an authority can be replaced. */
export type AuthorityName = "client" | "server" | "kubelet" | "store" | "front-proxy";

type PairName = CertificateName | `${AuthorityName}-ca`;

/** Anybody may read these; what ends otherwise is a secret. */
const PUBLIC_FILE = /\.(crt|pub|conf)$/;

/**
 * What one role holds to prove itself and to check others (`--identity=DIR`): a flat folder of mode 0700 that `keelson pki`
 * or `keelson node join` made. Files are read when they are asked for, so that a certificate that was renewed is seen; each
 * appears whole or not at all, secrets as 0600.
 */
export class IdentityFolder {
  readonly folder: string;
  readonly #wrote: (file: string) => void;

  /** `wrote` is told each file that another text was written to. */
  constructor(folder: string, wrote: (file: string) => void = () => {}) {
    this.folder = path.resolve(folder);
    this.#wrote = wrote;
  }

  path(file: string): string {
    return path.join(this.folder, file);
  }

  has(file: string): boolean {
    return existsSync(this.path(file));
  }

  /** Throws an error for people when the file is missing or cannot be read. */
  text(file: string): string {
    try {
      return readFileSync(this.path(file), "utf8");
    } catch (cause) {
      throw new Error(`the identity ${this.folder} lacks ${file}: make it with "keelson pki"`, { cause });
    }
  }

  /** Undefined when it does not exist. */
  find(file: string): string | undefined {
    return this.has(file) ? readFileSync(this.path(file), "utf8") : undefined;
  }

  keyPair(name: PairName): KeyPair {
    this.#settle(name);
    return { certPem: this.text(`${name}.crt`), keyPem: this.text(`${name}.key`) };
  }

  authorityPem(name: AuthorityName): string {
    return this.text(`${name}-ca.crt`);
  }

  /** Puts another key and its certificate in place; after a crash at any point one of both pairs is whole. */
  replaceKeyPair(name: PairName, pair: KeyPair): void {
    this.#settle(name);
    this.#draft(`${name}.crt`, pair.certPem);
    this.#draft(`${name}.key`, pair.keyPem);
    this.#place(`${name}.key`);
    this.#place(`${name}.crt`);
  }

  /** Writes one file whole, unless it says so already. */
  write(file: string, text: string): void {
    if (this.find(file) === text) return;
    this.#draft(file, text);
    this.#place(file);
  }

  /** A replacement that was broken off after its key is finished; one that was broken off before is forgotten. */
  #settle(name: PairName): void {
    const [certPem, keyPem] = [this.find(`${name}.crt.new`), this.find(`${name}.key`)];
    if (certPem === undefined || keyPem === undefined || this.has(`${name}.key.new`)) return;
    if (isKeyPair({ certPem, keyPem })) this.#place(`${name}.crt`);
  }

  #draft(file: string, text: string): void {
    makeFolder(this.folder, 0o700);
    const mode = PUBLIC_FILE.test(file) ? 0o644 : 0o600;
    rmSync(this.path(`${file}.new`), { force: true });
    writeFileSync(this.path(`${file}.new`), text, { mode, flush: true });
  }

  #place(file: string): void {
    renameSync(this.path(`${file}.new`), this.path(file));
    this.#wrote(this.path(file));
  }
}
