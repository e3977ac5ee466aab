import type { ApiConnection } from "../client/api-connection.ts";
import { BusMember } from "../client/bus-member.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Startable } from "../core/startable.ts";
import { BusChanges } from "../events/bus-changes.ts";
import { NatsBus, type NatsBusOptions } from "../events/nats/nats-bus.ts";
import type { Registry } from "../resource/registry.ts";

export interface BusConnectionComponents {
  /** Belongs to the caller; asked for tokens, and for what the bus does not tell. */
  readonly connection: Pick<ApiConnection, "api" | "channel">;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
}

/** A role's line to the bus: start it after the one to the API, stop it before; hand `changes` to the role. */
export class BusConnection implements Startable {
  /** How the role's informers hear; nothing is lost while this is not started or the bus is away. */
  readonly changes: BusChanges;
  readonly #bus: NatsBus;

  constructor(components: BusConnectionComponents, options: NatsBusOptions) {
    const { connection, registry, clock, log } = components;
    const member = new BusMember(connection);
    this.#bus = new NatsBus({ clock, log, credentials: member }, options);
    const membership = () => member.membership();
    this.changes = new BusChanges({ api: connection.api, bus: this.#bus, registry, membership, clock, log });
  }

  /** Why the bus cannot be heard now; empty when it can. Roles work without it, more slowly. */
  get problem(): string {
    return this.#bus.status() === "connected" ? "" : "the bus is away";
  }

  start(): Promise<void> {
    return this.#bus.start();
  }

  stop(): Promise<void> {
    return this.#bus.stop();
  }
}
