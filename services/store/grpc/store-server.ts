import { readFileSync } from "node:fs";
import type { KeyPair } from "../../../lib/core/key-pair.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Startable } from "../../../lib/core/startable.ts";
import {
  AuthDefinition,
  ClusterDefinition,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
  WatchDefinition,
} from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import { HealthDefinition } from "../../../lib/gen/grpc/health/v1/health.ts";
import { ServerReflectionDefinition } from "../../../lib/gen/grpc/reflection/v1/reflection.ts";
import { GrpcServer, type GrpcServerOptions, type ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import { reflectionService } from "../../../lib/transport/reflection-service.ts";
import type { ServiceDefinition } from "../../../lib/transport/service-definition.ts";
import { MAX_REQUEST_BYTES } from "../engine/request-check.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import { authService } from "./auth-service.ts";
import { clusterService } from "./cluster-service.ts";
import { healthService } from "./health-service.ts";
import { kvService } from "./kv-service.ts";
import { leaseService } from "./lease-service.ts";
import { maintenanceService } from "./maintenance-service.ts";
import { watchService } from "./watch-service.ts";

const DESCRIPTORS = new URL("../../../lib/gen/descriptors.binpb", import.meta.url);
/** etcd takes messages somewhat above its request limit, so that its own error can say so. */
const MESSAGE_OVERHEAD_BYTES = 512 * 1024;

export interface StoreServerOptions {
  /** `HOST:PORT` (port 0: a free one) or `unix:PATH`. */
  readonly listen: string;
  /** Absent: plain text. */
  readonly tls?: NonNullable<GrpcServerOptions["tls"]>;
}

/** Serves a store by etcd's gRPC API, with health and reflection. Owns the server, not the store. */
export class StoreServer implements Startable {
  readonly #grpc: GrpcServer;
  readonly #options: StoreServerOptions;
  readonly #names: string[] = [];
  #address = "";

  constructor(components: { store: SqliteStore; log: Log }, options: StoreServerOptions) {
    const { store, log } = components;
    this.#options = options;
    this.#grpc = new GrpcServer(
      { log },
      { maxRequestBytes: MAX_REQUEST_BYTES + MESSAGE_OVERHEAD_BYTES, ...(options.tls ? { tls: options.tls } : {}) },
    );
    const scheme = options.tls === undefined ? "http" : "https";
    this.#add(KVDefinition, kvService(store));
    this.#add(WatchDefinition, watchService(store));
    this.#add(LeaseDefinition, leaseService(store));
    this.#add(MaintenanceDefinition, maintenanceService(store));
    this.#add(AuthDefinition, authService(store));
    this.#add(HealthDefinition, healthService(store));
    const clientUrls = () => [this.#address.startsWith("unix:") ? this.#address : `${scheme}://${this.#address}`];
    this.#add(ClusterDefinition, clusterService(store, { clientUrls }));
    this.#add(
      ServerReflectionDefinition,
      reflectionService(this.#names, () => readFileSync(DESCRIPTORS)),
    );
  }

  #add<S extends ServiceDefinition>(service: S, handlers: ServiceHandlers<S>): void {
    this.#names.push(service.fullName);
    this.#grpc.addService(service, handlers);
  }

  /** Connections that are made from now on see this certificate. */
  renewCertificate(pair: KeyPair): void {
    this.#grpc.renewCertificate(pair);
  }

  /** Where clients find it, once started. */
  get address(): string {
    return this.#address;
  }

  async start(): Promise<void> {
    const { listen } = this.#options;
    const port = await this.#grpc.listen(listen);
    this.#address = listen.startsWith("unix:") ? listen : listen.replace(/:\d+$/, `:${port}`);
  }

  stop(): Promise<void> {
    return this.#grpc.stop();
  }
}
