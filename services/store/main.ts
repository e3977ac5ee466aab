import type { KeyPair } from "../../lib/core/key-pair.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { CertificateWatch, type CertificateWatchComponents } from "../../lib/process/certificate-watch.ts";
import type { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { type RoleProcessOptions, runRole } from "../../lib/role/role-process.ts";
import { StoreServer, type StoreServerOptions } from "./grpc/store-server.ts";
import { openStore } from "./open-store.ts";
import { restoreSnapshot } from "./restore.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { OpenStoreOptions } from "./store-options.ts";

export interface StoreRoleOptions extends StoreServerOptions, RoleProcessOptions {
  readonly store: Omit<OpenStoreOptions, "clock" | "random" | "log" | "onFatal">;
  /** Where `tls` comes from; renewed certificates are then taken over. */
  readonly identity?: IdentityFolder;
}

/** What the process ends with when the store can no longer promise anything (invariant 8). */
const FATAL_EXIT_CODE = 70;
const FATAL_DELAY_MS = 50;

/** The store and its server, as one thing to start and stop. */
class StoreRole implements Startable {
  readonly #log: Log;
  readonly #options: StoreRoleOptions;
  #store: SqliteStore | undefined;
  #server: StoreServer | undefined;

  constructor(components: { log: Log }, options: StoreRoleOptions) {
    this.#log = components.log;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#store = await openStore({
      ...this.#options.store,
      clock: realClock,
      random: realRandom,
      log: this.#log,
      // Long enough for those who wait to be told.
      onFatal: () => realClock.after(FATAL_DELAY_MS, () => process.exit(FATAL_EXIT_CODE)),
    });
    this.#server = new StoreServer({ store: this.#store, log: this.#log }, this.#options);
    try {
      await this.#server.start();
    } catch (error) {
      await this.#store.close();
      throw error;
    }
    this.#options.announce(`store listens on ${this.#server.address}`);
  }

  renewCertificate(pair: KeyPair): void {
    this.#server?.renewCertificate(pair);
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    await this.#store?.close();
  }

  /** Why it cannot serve; empty when it can. */
  async problem(): Promise<string> {
    if (this.#server === undefined || this.#server.address === "") return "the store is being opened";
    const answer = this.#store?.status().then(
      () => "",
      (error: unknown) => String(error),
    );
    return (await answer) ?? "";
  }
}

/** Serves the store until a signal; resolves to the exit status. */
export function runStoreRole(options: StoreRoleOptions): Promise<number> {
  return runRole({ role: "store" }, options, ({ log }) => {
    const role = new StoreRole({ log }, options);
    const { identity } = options;
    const renewed: CertificateWatchComponents["renewed"] = (pair) => role.renewCertificate(pair);
    const renewal =
      identity === undefined ? [] : [new CertificateWatch({ clock: realClock, log, identity, renewed }, "server")];
    return {
      parts: [role, ...renewal],
      async describe() {
        const detail = await role.problem();
        return { ready: detail === "", leading: false, detail };
      },
    };
  });
}

/** Makes a data directory from a snapshot file; resolves to the revision that the store goes on from. */
export async function restoreStore(options: { file: string; dataDir: string }): Promise<number> {
  return (await restoreSnapshot(options, realRandom)).revision;
}
