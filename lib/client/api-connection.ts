import type { Clock } from "../core/clock.ts";
import type { KeyPair } from "../core/key-pair.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { Startable } from "../core/startable.ts";
import { HealthCheckResponse_ServingStatus, HealthDefinition } from "../gen/grpc/health/v1/health.ts";
import type { Registry } from "../resource/registry.ts";
import { listTarget } from "../transport/address-list.ts";
import { GrpcChannel } from "../transport/grpc-client.ts";
import { GrpcApiClient } from "./grpc-api-client.ts";

export interface ApiConnectionOptions {
  /** `HOST:PORT` of the api-servers' gRPC. */
  readonly addresses: readonly string[];
  readonly tls: { readonly caPem: string; readonly certPem: string; readonly keyPem: string };
}

/** The DNS name that every api-server's certificate has, whatever address it is reached by. */
const SERVER_NAME = "kubernetes";
/**
 * A server that does not answer twice is left after at most three of these: soon enough for a leader to renew its lease
 * elsewhere before its deadline of 9 s (docs/decisions/0013-failover-times.md).
 */
const CHECK_MS = 2_200;
/** What no check finds, since there is no other server to go to: a connection that is gone without a word. */
const KEEP_ALIVE = { everyMs: 10_000, timeoutMs: 5_000 };

/**
 * A role's line to the api-servers: the API over gRPC from one of them, and whether that one is ready. A server that cannot
 * be connected to is passed over; one that is frozen, cut off or not ready is left when another is ready, with every call
 * and watch on it failing as UNAVAILABLE.
 */
export class ApiConnection implements Startable {
  readonly api: GrpcApiClient;
  readonly channel: GrpcChannel;
  readonly #clock: Clock;
  readonly #log: Log;
  #tls: ApiConnectionOptions["tls"];
  readonly #addresses: readonly string[];
  readonly #stopper = new AbortController();
  readonly #firstReached = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #problem: string;

  constructor(
    components: { registry: Registry; clock: Clock; random: Random; log: Log },
    options: ApiConnectionOptions,
  ) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#tls = options.tls;
    // Each role begins elsewhere, so that servers share the work.
    this.#addresses = startingAt(options.addresses, Math.floor(components.random.float() * options.addresses.length));
    this.#problem = `waiting for an api-server at ${this.#addresses.join(", ")}`;
    this.channel = this.#open(listTarget(this.#addresses));
    this.api = new GrpcApiClient({ channel: this.channel, registry: components.registry });
  }

  /** Why no api-server can be used now; empty when one can. */
  get problem(): string {
    return this.#problem;
  }

  /** Connects anew as who this certificate names; open calls and watches fail as UNAVAILABLE, and are made again by who made them. */
  renew(client: KeyPair): void {
    this.#tls = { ...this.#tls, certPem: client.certPem, keyPem: client.keyPem };
    this.channel.reconnect(listTarget(this.#addresses), { ...this.#tls, serverName: SERVER_NAME });
  }

  /** Resolves when an api-server was ready for the first time. */
  whenReached(): Promise<void> {
    return this.#firstReached.promise;
  }

  async start(): Promise<void> {
    this.#running ??= this.#watchHealth();
  }

  async stop(): Promise<void> {
    this.#stopper.abort(new Error("the connection to the API was stopped"));
    await this.#running;
    this.channel.close();
  }

  #open(target: string): GrpcChannel {
    return new GrpcChannel({ target, tls: { ...this.#tls, serverName: SERVER_NAME }, keepAlive: KEEP_ALIVE });
  }

  async #watchHealth(): Promise<void> {
    const { signal } = this.#stopper;
    let failures = 0;
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const problem = await this.#ask(this.channel);
      if (signal.aborted) return;
      this.#note(problem, isFirst);
      failures = problem === "" ? 0 : failures + 1;
      if (failures > 1 && (await this.#moveOn(problem))) failures = 0;
      // The second look follows the first failure at once.
      if (failures !== 1) await this.#clock.sleep(CHECK_MS, signal).catch(() => {});
    }
  }

  /** Empty when the server at the other end is ready. */
  async #ask(channel: GrpcChannel): Promise<string> {
    const { SERVING } = HealthCheckResponse_ServingStatus;
    const health = channel.client(HealthDefinition);
    try {
      const options = { signal: this.#stopper.signal, timeoutMs: CHECK_MS };
      const { status } = await health.check({ service: "" }, options);
      return status === SERVING ? "" : "the api-server is not ready";
    } catch {
      return "no api-server answers";
    }
  }

  /** To whichever server says first that it is ready; false when none does. */
  async #moveOn(problem: string): Promise<boolean> {
    if (this.#addresses.length < 2) return false;
    const trials = this.#addresses.map((address) => ({ address, channel: this.#open(listTarget([address])) }));
    try {
      const ready = trials.map(async ({ address, channel }) => {
        if ((await this.#ask(channel)) !== "") throw new Error("not ready");
        return address;
      });
      const found = await Promise.any(ready);
      this.#log.warn("an api-server was left for another", { problem, address: found });
      this.channel.reconnect(listTarget(startingAt(this.#addresses, this.#addresses.indexOf(found))));
      return true;
    } catch {
      return false;
    } finally {
      for (const { channel } of trials) channel.close();
    }
  }

  #note(problem: string, isFirst: boolean): void {
    if (problem === "") this.#firstReached.resolve();
    const addresses = this.#addresses.join(", ");
    const told = problem === "" ? "" : `${problem} at ${addresses}`;
    if (told !== this.#problem || isFirst) {
      if (told === "") this.#log.info("an api-server is ready", { addresses });
      else this.#log.warn("waiting for an api-server", { addresses, problem });
    }
    this.#problem = told;
  }
}

function startingAt<T>(list: readonly T[], index: number): readonly T[] {
  return [...list.slice(index), ...list.slice(0, index)];
}
