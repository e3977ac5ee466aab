import { readFileSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Startable } from "../core/startable.ts";
import { HealthDefinition } from "../gen/grpc/health/v1/health.ts";
import { ServerReflectionDefinition } from "../gen/grpc/reflection/v1/reflection.ts";
import { type DescribeResponse, RoleDefinition } from "../gen/keelson/role/v1/role.ts";
import { GrpcServer, type GrpcServerOptions, type ServiceHandlers } from "./grpc-server.ts";
import { healthService } from "./health-service.ts";
import { reflectionService } from "./reflection-service.ts";
import type { ServiceDefinition } from "./service-definition.ts";

/** What a role says of itself; see `proto/keelson/role/v1`. */
export type RoleDescription = DescribeResponse;

export interface RoleServerComponents {
  readonly clock: Clock;
  readonly log: Log;
  /** Asked for every call; what cannot be found out is "not ready", with the reason as the detail. */
  readonly describe: () => RoleDescription | Promise<RoleDescription>;
}

export interface RoleServerOptions {
  /** `unix:PATH` in a folder that only the right ones can enter, or `HOST:PORT` (port 0: a free one). */
  readonly listen: string;
  /** Needed for anything but a unix socket: clients prove themselves by a certificate. */
  readonly tls?: NonNullable<GrpcServerOptions["tls"]>;
}

const DESCRIPTORS = new URL("../gen/descriptors.binpb", import.meta.url);

/** The gRPC server that every role has: `keelson.role.v1.Role`, health, reflection, and what the role adds of its own. */
export class RoleServer implements Startable {
  readonly #options: RoleServerOptions;
  readonly #server: GrpcServer;
  readonly #names: string[] = [];
  #address = "";

  constructor(components: RoleServerComponents, options: RoleServerOptions) {
    this.#options = options;
    this.#server = new GrpcServer({ log: components.log }, options.tls === undefined ? {} : { tls: options.tls });
    this.addService(RoleDefinition, { describe: async () => await components.describe() });
    const isReady = async () => (await components.describe()).ready;
    this.addService(HealthDefinition, healthService(components, this.#names, isReady));
    this.addService(
      ServerReflectionDefinition,
      reflectionService(this.#names, () => readFileSync(DESCRIPTORS)),
    );
  }

  /** Before `start`. */
  addService<S extends ServiceDefinition>(service: S, handlers: ServiceHandlers<S>): void {
    this.#names.push(service.fullName);
    this.#server.addService(service, handlers);
  }

  /** As asked for, with the port that was taken; after `start`. */
  get address(): string {
    return this.#address;
  }

  async start(): Promise<void> {
    const { listen } = this.#options;
    const port = await this.#server.listen(listen);
    this.#address = listen.startsWith("unix:") ? listen : listen.replace(/:\d+$/, `:${port}`);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}
