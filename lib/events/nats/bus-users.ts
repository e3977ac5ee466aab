import { encodeUser } from "@nats-io/jwt";
import { fromPublic, type KeyPair } from "@nats-io/nkeys";
import type { Clock } from "../../core/clock.ts";
import { fastKey } from "./fast-key.ts";

/** Who may connect for a while, and with which rights. */
export interface BusUser {
  /** The user key that the client has proven nothing of yet: it does when it connects. */
  readonly publicKey: string;
  /** Shown by the server's monitoring. */
  readonly name: string;
  /** Patterns that it may subscribe to; narrower ones are as good. */
  readonly hears: readonly string[];
  /** Patterns that it may publish to. */
  readonly says: readonly string[];
}

/** A token that the servers of the bus believe until it expires. */
export interface BusToken {
  readonly jwt: string;
  readonly expiresMs: number;
}

const DEFAULT_LIFETIME_MS = 3_600_000;
const MAX_SUBSCRIPTIONS = 1_000;
const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Admits users to the bus by the account's signature. No server needs to be told. */
export class BusUsers {
  readonly #clock: Clock;
  readonly #account: KeyPair;
  readonly #lifetimeMs: number;

  /** `accountSeed`: `bus-account.seed` of an api-server's identity. */
  constructor(components: { readonly clock: Clock }, options: { accountSeed: string; lifetimeMs?: number }) {
    this.#clock = components.clock;
    this.#account = fastKey(options.accountSeed.trim());
    this.#lifetimeMs = options.lifetimeMs ?? DEFAULT_LIFETIME_MS;
  }

  async admit(user: BusUser): Promise<BusToken> {
    const expiresMs = this.#clock.nowMs() + this.#lifetimeMs;
    const rights = {
      sub: permissionOf(user.hears),
      pub: permissionOf(user.says),
      subs: MAX_SUBSCRIPTIONS,
      payload: MAX_MESSAGE_BYTES,
      allowed_connection_types: ["STANDARD" as const],
    };
    const exp = Math.floor(expiresMs / 1000);
    const jwt = await encodeUser(user.name, fromPublic(user.publicKey), this.#account, rights, { exp });
    return { jwt, expiresMs: exp * 1000 };
  }
}

/** To the server an empty list of what is allowed means everything. */
function permissionOf(patterns: readonly string[]): { allow?: string[]; deny?: string[] } {
  return patterns.length === 0 ? { deny: [">"] } : { allow: [...patterns] };
}
