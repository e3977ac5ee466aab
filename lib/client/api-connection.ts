import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Startable } from "../core/startable.ts";
import { HealthCheckResponse_ServingStatus, HealthDefinition } from "../gen/grpc/health/v1/health.ts";
import type { Registry } from "../resource/registry.ts";
import { listTarget } from "../transport/address-list.ts";
import { GrpcChannel } from "../transport/grpc-client.ts";
import { GrpcApiClient } from "./grpc-api-client.ts";

export interface ApiConnectionOptions {
  /** `HOST:PORT` of the api-servers' gRPC; calls go to one of them, another when that fails. */
  readonly addresses: readonly string[];
  readonly tls: { readonly caPem: string; readonly certPem: string; readonly keyPem: string };
}

/** The DNS name that every api-server's certificate has, whatever address it is reached by. */
const SERVER_NAME = "kubernetes";
const CHECK_MS = 2_500;
const CHECK_TIMEOUT_MS = 2_500;

/** A role's line to the api-servers: the API over gRPC, and whether an api-server is there and ready. */
export class ApiConnection implements Startable {
  readonly api: GrpcApiClient;
  readonly channel: GrpcChannel;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #addresses: string;
  readonly #stopper = new AbortController();
  readonly #firstReached = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #problem: string;

  constructor(components: { registry: Registry; clock: Clock; log: Log }, options: ApiConnectionOptions) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#addresses = options.addresses.join(", ");
    this.#problem = `waiting for an api-server at ${this.#addresses}`;
    this.channel = new GrpcChannel({
      target: listTarget(options.addresses),
      tls: { ...options.tls, serverName: SERVER_NAME },
    });
    this.api = new GrpcApiClient({ channel: this.channel, registry: components.registry });
  }

  /** Why no api-server can be used now; empty when one can. */
  get problem(): string {
    return this.#problem;
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

  async #watchHealth(): Promise<void> {
    const { signal } = this.#stopper;
    const health = this.channel.client(HealthDefinition);
    let isFirst = true;
    while (!signal.aborted) {
      const { status } = await health.check({ service: "" }, { signal, timeoutMs: CHECK_TIMEOUT_MS }).catch(() => ({
        status: undefined,
      }));
      if (signal.aborted) return;
      const { SERVING } = HealthCheckResponse_ServingStatus;
      const why = status === undefined ? "no api-server answers" : "the api-server is not ready";
      this.#note(status === SERVING ? "" : `${why} at ${this.#addresses}`, isFirst);
      isFirst = false;
      await this.#clock.sleep(CHECK_MS, signal).catch(() => {});
    }
  }

  #note(problem: string, isFirst: boolean): void {
    if (problem === "") this.#firstReached.resolve();
    if (problem !== this.#problem || isFirst) {
      const keys = { addresses: this.#addresses };
      if (problem === "") this.#log.info("an api-server is ready", keys);
      else this.#log.warn("waiting for an api-server", { ...keys, problem });
    }
    this.#problem = problem;
  }
}
