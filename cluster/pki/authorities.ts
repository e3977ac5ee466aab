import type { Clock } from "../../lib/core/clock.ts";
import type { Random } from "../../lib/core/random.ts";
import type { BusSeeds } from "../../lib/events/nats/bus-accounts.ts";
import type { Authority } from "../../lib/pki/authority.ts";
import { type AuthorityName, IdentityFolder } from "../../lib/process/identity-folder.ts";

export interface ServiceAccountKeys {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
}

/**
 * The cluster's secrets that everything else follows from. Each is made when first asked for and never made anew: what
 * lacks half of itself is completed or refused. Libraries load when something must be made, so that a restart is quick.
 */
export class Authorities {
  readonly #files: IdentityFolder;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #loaded = new Map<AuthorityName, Promise<Authority>>();

  constructor(components: { clock: Clock; random: Random; wrote: (file: string) => void }, folder: string) {
    this.#files = new IdentityFolder(folder, components.wrote);
    this.#clock = components.clock;
    this.#random = components.random;
  }

  async certPem(name: AuthorityName): Promise<string> {
    return this.#files.find(`${name}-ca.crt`) ?? (await this.signer(name)).certPem;
  }

  async keyPem(name: AuthorityName): Promise<string> {
    return (await this.signer(name)).keyPem;
  }

  signer(name: AuthorityName): Promise<Authority> {
    const loaded = this.#loaded.get(name) ?? this.#load(name);
    this.#loaded.set(name, loaded);
    return loaded;
  }

  /** The key pair that signs service-account tokens. */
  async serviceAccountKeys(): Promise<ServiceAccountKeys> {
    const [privateKeyPem, publicKeyPem] = [
      this.#files.find("service-account.key"),
      this.#files.find("service-account.pub"),
    ];
    if (privateKeyPem !== undefined && publicKeyPem !== undefined) return { privateKeyPem, publicKeyPem };
    const { generateSigningKey } = await import("../../lib/pki/authority.ts");
    const keys = await generateSigningKey();
    // The private key last: the pair is there when it is.
    this.#files.write("service-account.pub", keys.publicKeyPem);
    this.#files.write("service-account.key", keys.privateKeyPem);
    return keys;
  }

  /** Signs users of the bus. */
  async busAccountSeed(): Promise<string> {
    const present = this.#files.find("bus-account.seed");
    if (present !== undefined) return present;
    const conf = this.#files.path("bus-accounts.conf");
    if (this.#files.has("bus-accounts.conf")) {
      throw new Error(`${this.#files.path("bus-account.seed")} is missing, and ${conf} needs it: put it back`);
    }
    return (await this.#makeBus()).seeds.account;
  }

  /** What the servers of the bus read. */
  async busAccountsConf(): Promise<string> {
    return this.#files.find("bus-accounts.conf") ?? (await this.#makeBus()).conf;
  }

  /** The configuration last: the bus is whole when it is there. Seeds that exist are used. */
  async #makeBus(): Promise<{ seeds: BusSeeds; conf: string }> {
    const { busAccountsConf, createBusSeeds } = await import("../../lib/events/nats/bus-accounts.ts");
    const seeds: BusSeeds = { ...createBusSeeds() };
    for (const name of ["operator", "account", "system"] as const) {
      seeds[name] = this.#files.find(`bus-${name}.seed`) ?? seeds[name];
      this.#files.write(`bus-${name}.seed`, seeds[name]);
    }
    const conf = await busAccountsConf(seeds, "keelson");
    this.#files.write("bus-accounts.conf", conf);
    return { seeds, conf };
  }

  async #load(name: AuthorityName): Promise<Authority> {
    const { Authority } = await import("../../lib/pki/authority.ts");
    const [certFile, keyFile] = [`${name}-ca.crt`, `${name}-ca.key`];
    const [certPem, keyPem] = [this.#files.find(certFile), this.#files.find(keyFile)];
    if (certPem !== undefined && keyPem === undefined) {
      throw new Error(`${this.#files.path(keyFile)} is missing, and nothing can be signed without it: put it back`);
    }
    if (certPem !== undefined && keyPem !== undefined) {
      try {
        return await Authority.load({ certPem, keyPem }, this.#clock, this.#random);
      } catch (cause) {
        throw new Error(`${this.#files.path(certFile)} and its key are damaged: restore them`, { cause });
      }
    }
    // A key alone was written just before a crash, or its certificate was lost: what it signed stays good.
    const authority = await Authority.create(`keelson-${name}-ca`, this.#clock, this.#random, keyPem);
    this.#files.replaceKeyPair(`${name}-ca`, authority);
    return authority;
  }
}
