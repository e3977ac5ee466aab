import type { Log } from "../../lib/core/log.ts";
import type { Startable } from "../../lib/core/startable.ts";
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
    return {
      parts: [role],
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
