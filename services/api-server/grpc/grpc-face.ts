import { readFileSync } from "node:fs";
import type { Clock } from "../../../lib/core/clock.ts";
import type { KeyPair } from "../../../lib/core/key-pair.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Startable } from "../../../lib/core/startable.ts";
import { HealthDefinition } from "../../../lib/gen/grpc/health/v1/health.ts";
import { ServerReflectionDefinition } from "../../../lib/gen/grpc/reflection/v1/reflection.ts";
import { ResourcesDefinition } from "../../../lib/gen/keelson/api/v1/resources.ts";
import { EventsDefinition } from "../../../lib/gen/keelson/events/v1/events_service.ts";
import type { Registry } from "../../../lib/resource/registry.ts";
import { typedServiceOf } from "../../../lib/resource/typed-service.ts";
import { GrpcServer, type ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import { healthService } from "../../../lib/transport/health-service.ts";
import { reflectionService } from "../../../lib/transport/reflection-service.ts";
import { type EventsServiceComponents, eventsService } from "../events/events-service.ts";
import type { Health } from "../rest/health.ts";
import type { ApiMetrics } from "../rest/metrics.ts";
import { countedResources } from "./counted-resources.ts";
import { type ResourcesServiceComponents, resourcesService } from "./resources-service.ts";
import { callerOf } from "./rpc-caller.ts";
import { rpcErrorOf } from "./rpc-status.ts";
import { typedService } from "./typed-service.ts";

export interface GrpcFaceComponents extends ResourcesServiceComponents, EventsServiceComponents {
  readonly registry: Registry;
  readonly health: Health;
  readonly metrics: ApiMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

export interface GrpcFaceOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls: { readonly certPem: string; readonly keyPem: string; readonly clientCaPem: string };
}

/** Everything that `proto/` says, services and kinds. */
const DESCRIPTORS = new URL("../../../lib/gen/descriptors.binpb", import.meta.url);

/** The gRPC face: `Resources`, a typed service for each kind, health and reflection, on a port of its own, since grpc-js brings its own HTTP/2 server. */
export class GrpcFace implements Startable {
  readonly #server: GrpcServer;
  readonly #options: GrpcFaceOptions;
  #port = 0;

  constructor(components: GrpcFaceComponents, options: GrpcFaceOptions) {
    this.#options = options;
    this.#server = new GrpcServer({ log: components.log }, { tls: { ...options.tls, clientCertificate: "optional" } });
    const resources = countedResources(resourcesService(components), components);
    this.#server.addService(ResourcesDefinition, resources);
    this.#server.addService(EventsDefinition, eventsService(components));
    const isReady = (): Promise<boolean> => components.health.isReady();
    this.#server.addService(HealthDefinition, healthService(components, [ResourcesDefinition.fullName], isReady));
    const names: string[] = [ResourcesDefinition, EventsDefinition, HealthDefinition, ServerReflectionDefinition].map(
      ({ fullName }) => fullName,
    );
    for (const definition of components.registry.resources()) {
      const typed = typedService(typedServiceOf(definition, components.registry), { ...components, resources });
      this.#server.addService(typed.definition, typed.handlers);
      names.push(typed.definition.fullName);
    }
    const reflection = reflectionService(names, () => readFileSync(DESCRIPTORS));
    this.#server.addService(ServerReflectionDefinition, forCallers(reflection, components));
  }

  renewCertificate(pair: KeyPair): void {
    this.#server.renewCertificate(pair);
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    this.#port = await this.#server.listen(`${this.#options.host}:${this.#options.port}`);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}

/** What is served is told to those who prove who they are, as REST's discovery. */
function forCallers(
  { serverReflectionInfo: tell }: Required<ServiceHandlers<typeof ServerReflectionDefinition>>,
  { authenticator, statusCodec }: ResourcesServiceComponents,
): ServiceHandlers<typeof ServerReflectionDefinition> {
  return {
    async *serverReflectionInfo(requests, call) {
      await callerOf(call, authenticator).catch((error: unknown) => {
        throw rpcErrorOf(error, statusCodec);
      });
      yield* tell(requests, call);
    },
  };
}
