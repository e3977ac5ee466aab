import type { Clock } from "../core/clock.ts";
import type { KeyPair } from "../core/key-pair.ts";
import type { Log } from "../core/log.ts";
import type { Startable } from "../core/startable.ts";
import type { CertificateName, IdentityFolder } from "./identity-folder.ts";
import { isKeyPair } from "./is-key-pair.ts";

export interface CertificateWatchComponents {
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: IdentityFolder;
  /** Called with a pair that belongs together, each time another one lies in the folder. */
  readonly renewed: (pair: KeyPair) => void;
}

const EVERY_MS = 60_000;

/** Looks each minute whether a certificate of an identity was renewed, so that whoever serves with it need not start anew. */
export class CertificateWatch implements Startable {
  readonly #components: CertificateWatchComponents;
  readonly #name: CertificateName;
  readonly #stopper = new AbortController();
  #running: Promise<void> | undefined;

  constructor(components: CertificateWatchComponents, name: CertificateName) {
    this.#components = components;
    this.#name = name;
  }

  async start(): Promise<void> {
    this.#running ??= this.#watch(this.#components.identity.keyPair(this.#name).certPem);
  }

  async stop(): Promise<void> {
    this.#stopper.abort();
    await this.#running;
  }

  async #watch(first: string): Promise<void> {
    const { clock, log, identity, renewed } = this.#components;
    const { signal } = this.#stopper;
    let known = first;
    for (;;) {
      await clock.sleep(EVERY_MS, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        const pair = identity.keyPair(this.#name);
        // The key is written before its certificate: between the two they do not belong together.
        if (pair.certPem === known || !isKeyPair(pair)) continue;
        renewed(pair);
        known = pair.certPem;
        log.info("a certificate was renewed", { certificate: this.#name });
      } catch (error) {
        log.warn("a certificate cannot be read", { certificate: this.#name, error: String(error) });
      }
    }
  }
}
