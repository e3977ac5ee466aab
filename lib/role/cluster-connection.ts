import { ApiConnection, type ApiConnectionOptions } from "../client/api-connection.ts";
import type { Changes } from "../client/changes.ts";
import type { GrpcApiClient } from "../client/grpc-api-client.ts";
import type { Clock } from "../core/clock.ts";
import type { KeyPair } from "../core/key-pair.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { Startable } from "../core/startable.ts";
import type { Registry } from "../resource/registry.ts";
import { BusConnection } from "./bus-connection.ts";
import type { RoleMetrics } from "./role-metrics.ts";

export interface ClusterConnectionOptions extends ApiConnectionOptions {
  /** `HOST:PORT` of the nats-servers, whose certificates the authority of the api-servers signed; absent: no bus. */
  readonly bus?: readonly string[];
}

export interface ClusterConnectionComponents {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Shown by the monitoring of nats-server. */
  readonly instance: string;
  readonly metrics?: RoleMetrics;
}

/** A role's lines to the api-servers and to the bus. Without a bus, and while it is away, changes are heard by watch. */
export class ClusterConnection implements Startable {
  /** What informers are made from. */
  readonly components: { readonly api: GrpcApiClient; readonly changes?: Changes };
  readonly #connection: ApiConnection;
  readonly #bus: BusConnection | undefined;
  #busStart: Promise<void> | undefined;

  constructor(components: ClusterConnectionComponents, options: ClusterConnectionOptions) {
    const { instance, metrics, ...parts } = components;
    const { bus: servers, ...api } = options;
    const connection = new ApiConnection(parts, api);
    this.#connection = connection;
    this.components = { api: connection.api };
    if (servers === undefined) return;
    const bus = new BusConnection(
      { ...parts, connection },
      { servers, name: instance, tls: { caPem: options.tls.caPem } },
    );
    metrics?.busFollowers(bus.changes.counts);
    this.#bus = bus;
    this.components = { api: connection.api, changes: bus.changes };
  }

  /** Why no api-server can be used now; empty when one can. The bus is no condition. */
  get problem(): string {
    return this.#connection.problem;
  }

  /** Connects to the api-servers anew with this certificate. The bus asks for its users over that line. */
  renew(client: KeyPair): void {
    this.#connection.renew(client);
  }

  /** Resolves when an api-server was ready for the first time. */
  whenReached(): Promise<void> {
    return this.#connection.whenReached();
  }

  async start(): Promise<void> {
    await this.#connection.start();
    // It needs an api-server and a nats-server, and nobody needs to wait for it.
    this.#busStart ??= this.#bus?.start();
  }

  async stop(): Promise<void> {
    await this.#bus?.stop();
    await this.#busStart;
    await this.#connection.stop();
  }
}
