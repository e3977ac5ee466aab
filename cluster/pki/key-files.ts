import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { KeyPair } from "../../lib/pki/authority.ts";

/** Anybody may read these; what ends otherwise is a secret. */
const PUBLIC_FILE = /\.(crt|pub|conf)$/;

/** Files of keys and certificates in one folder of mode 0700: each appears whole or not at all, secrets as 0600. */
export class KeyFiles {
  readonly folder: string;
  readonly #wrote: (file: string) => void;

  constructor(folder: string, wrote: (file: string) => void) {
    this.folder = folder;
    this.#wrote = wrote;
  }

  has(file: string): boolean {
    return existsSync(this.path(file));
  }

  path(file: string): string {
    return path.join(this.folder, file);
  }

  /** Undefined when it does not exist. */
  text(file: string): string | undefined {
    return this.has(file) ? readFileSync(this.path(file), "utf8") : undefined;
  }

  /** Undefined unless both files exist. */
  pair(name: string): KeyPair | undefined {
    const [certPem, keyPem] = [this.text(`${name}.crt`), this.text(`${name}.key`)];
    return certPem === undefined || keyPem === undefined ? undefined : { certPem, keyPem };
  }

  /** The key first: a certificate without its key would look present after a crash in between. */
  writePair(name: string, pair: KeyPair): void {
    this.write(`${name}.key`, pair.keyPem);
    this.write(`${name}.crt`, pair.certPem);
  }

  /** Leaves the file alone when it says so already. */
  write(file: string, text: string): void {
    if (this.text(file) === text) return;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const draft = this.path(`${file}.new`);
    writeFileSync(draft, text, { mode: PUBLIC_FILE.test(file) ? 0o644 : 0o600, flush: true });
    renameSync(draft, this.path(file));
    this.#wrote(this.path(file));
  }
}
