import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { Bus } from "../../lib/events/bus.ts";
import type { BusMembership } from "../../lib/events/bus-changes.ts";
import type { BusUsers } from "../../lib/events/nats/bus-users.ts";
import { Discovery } from "../../lib/resource/discovery/discovery.ts";
import { OpenApi } from "../../lib/resource/openapi/openapi.ts";
import type { Registry } from "../../lib/resource/registry.ts";
import type { Store } from "../../lib/store/store.ts";
import { Authenticator } from "./auth/authenticator.ts";
import { AUTHENTICATED, SYSTEM_MASTERS } from "./auth/authorizer.ts";
import { BootstrapTokens } from "./auth/bootstrap-tokens.ts";
import type { RingLimits } from "./cache/event-ring.ts";
import { InMemoryClient } from "./client/in-memory-client.ts";
import { bootstrap, publishClientAuthority } from "./core/bootstrap.ts";
import { type BuiltCore, buildCore } from "./core/build-core.ts";
import type { Identity } from "./core/request.ts";
import { StoreCompactor, type StoreCompactorOptions } from "./core/store-compactor.ts";
import type { EventsBus } from "./events/events-service.ts";
import { GrpcFace } from "./grpc/grpc-face.ts";
import { Publisher } from "./publish/publisher.ts";
import { storeEpoch } from "./publish/store-epoch.ts";
import { Answers } from "./rest/answers.ts";
import { Dispatcher, type DispatcherOptions } from "./rest/dispatcher.ts";
import { Health } from "./rest/health.ts";
import { ApiMetrics } from "./rest/metrics.ts";
import { ResourceHandler } from "./rest/resource-handler.ts";
import { RestServer } from "./rest/rest-server.ts";
import { SystemHandler, VERSION } from "./rest/system-handler.ts";
import { PodLog } from "./subresources/pod-log.ts";

export interface ApiServerComponents {
  /** Belongs to the caller, who closes it after `stop`. */
  readonly store: Store;
  readonly registry: Registry;
  /** Where changes are published; belongs to the caller, too. Absent: nothing is published. */
  readonly bus?: Bus;
  /** Admits other processes to the bus; absent: it asks nobody for a token. */
  readonly busUsers?: BusUsers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ApiServerOptions {
  /** The cluster's name on the bus; default `keelson`. */
  readonly cluster?: string;
  /** An address (port 0: a free one), or a listening socket that was inherited. */
  readonly listen: { readonly host: string; readonly port: number } | { readonly fd: number };
  /** Where gRPC `Resources` is served, to clients with a certificate; absent: not at all. */
  readonly grpc?: { readonly host: string; readonly port: number };
  /** Host and port as clients reach it, for discovery. */
  readonly serverAddress?: string;
  readonly tls: KeyPair;
  /** Signs the certificates of clients. */
  readonly clientCaPem: string;
  readonly serviceAccount: {
    readonly privateKeyPem: string;
    readonly publicKeyPem: string;
    readonly issuer: string;
  };
  /** How far back watches can begin, for each kind: changes and bytes. */
  readonly ring?: RingLimits;
  /** How many requests are answered at once; default 1200 reads and 600 writes. */
  readonly limits?: DispatcherOptions;
  /** For a store that does not compact itself; absent: it does. */
  readonly compaction?: StoreCompactorOptions;
  /** How the kubelets' servers are reached: our client certificate and the authority of theirs. */
  readonly kubelet?: { readonly certPem: string; readonly keyPem: string; readonly caPem: string };
}

const SELF: Identity = { user: "system:apiserver", groups: [SYSTEM_MASTERS, AUTHENTICATED] };

/** The Kubernetes API: REST over HTTPS, gRPC `Resources` and, for roles in this process, `clientFor`. */
export class ApiServer implements Startable {
  readonly #built: BuiltCore;
  readonly #clientCaPem: string;
  readonly #health: Health;
  readonly #podLog: PodLog;
  readonly #rest: RestServer;
  readonly #grpc: GrpcFace | undefined;
  readonly #compactor: StoreCompactor | undefined;
  readonly #publisher: Publisher | undefined;
  readonly #membership: () => Promise<BusMembership>;

  constructor(components: ApiServerComponents, options: ApiServerOptions) {
    const { store, registry, clock, random, log } = components;
    this.#clientCaPem = options.clientCaPem;
    this.#built = buildCore(components, {
      serviceAccount: options.serviceAccount,
      ...(options.ring === undefined ? {} : { ring: options.ring }),
    });
    if (options.compaction !== undefined) {
      this.#compactor = new StoreCompactor({ store, clock, log: log.child({ part: "compactor" }) }, options.compaction);
    }
    const { cluster = "keelson" } = options;
    this.#membership = async () => ({ cluster, epoch: await storeEpoch({ store, random }) });
    this.#publisher = this.#newPublisher(components, cluster);
    this.#health = new Health({ store, cache: this.#built.cache, clock });
    this.#podLog = new PodLog({ reads: this.#built.reads, log }, options.kubelet);
    const metrics = new ApiMetrics(this.#built.cache);
    const answers = new Answers({ codec: this.#built.codec, statusCodec: this.#built.statusCodec, clock });
    const authenticator = new Authenticator(this.#built.tokens, new BootstrapTokens({ ...this.#built, clock }));
    const discovery = new Discovery(registry, { serverAddress: options.serverAddress ?? "" });
    const system = new SystemHandler({
      answers,
      authorizers: this.#built.authorizers,
      discovery,
      health: this.#health,
      metrics,
      openApi: new OpenApi(registry, { version: VERSION.gitVersion }),
    });
    const resources = new ResourceHandler({ ...this.#built, answers, podLog: this.#podLog, clock });
    const dispatcher = new Dispatcher(
      { ...this.#built, authenticator, resources, system, answers, metrics, clock, random, log },
      options.limits,
    );
    this.#rest = new RestServer({ dispatcher, clock, log }, options);
    if (options.grpc === undefined) return;
    const { clientCaPem } = options;
    this.#grpc = new GrpcFace(
      {
        ...this.#built,
        registry,
        authenticator,
        events: this.#eventsBus(components),
        health: this.#health,
        metrics,
        clock,
        log,
      },
      { ...options.grpc, tls: { ...options.tls, clientCaPem } },
    );
  }

  #eventsBus({ bus, busUsers }: ApiServerComponents): EventsBus | undefined {
    return bus === undefined ? undefined : { membership: this.#membership, users: busUsers };
  }

  #newPublisher({ bus, ...components }: ApiServerComponents, cluster: string): Publisher | undefined {
    if (bus === undefined) return undefined;
    const log = components.log.child({ part: "publisher" });
    const kinds = this.#built.kinds.stored();
    const epoch = async (): Promise<string> => (await this.#membership()).epoch;
    return new Publisher({ ...components, bus, log, kinds, epoch }, { cluster, holder: components.random.uuid() });
  }

  /** Resolves when the caches are filled, the first objects exist and the port is open. */
  async start(): Promise<void> {
    const { cache } = this.#built;
    await cache.start();
    await bootstrap(this.clientFor(SELF));
    await publishClientAuthority(this.clientFor(SELF), this.#clientCaPem);
    this.#health.bootstrapped();
    await this.#rest.start();
    await this.#grpc?.start();
    await this.#compactor?.start();
    await this.#publisher?.start();
  }

  /** Says that it is not ready, ends watches cleanly, lets running requests end, and closes. */
  async stop(): Promise<void> {
    this.#health.stopping();
    await this.#publisher?.stop();
    this.#built.watcher.endAll();
    await Promise.all([this.#rest.stop(), this.#grpc?.stop()]);
    this.#podLog.close();
    await this.#compactor?.stop();
    await this.#built.cache.stop();
  }

  /** Connections that are made from now on, REST and gRPC, see this certificate. */
  renewCertificate(pair: ApiServerOptions["tls"]): void {
    this.#rest.renewCertificate(pair);
    this.#grpc?.renewCertificate(pair);
  }

  /** Kubelets see this certificate from now on. */
  renewKubeletClient(pair: KeyPair): void {
    this.#podLog.renew(pair);
  }

  /** Where REST listens; after `start`. */
  get port(): number {
    return this.#rest.port;
  }

  /** Where gRPC listens; after `start`; 0 when it is not served. */
  get grpcPort(): number {
    return this.#grpc?.port ?? 0;
  }

  /** What keeps it from being ready, as `/readyz` names it; empty when nothing does. */
  async problem(): Promise<string> {
    const answer = await this.#health.answer("readyz", new URLSearchParams());
    if (answer === undefined || answer.code === 200) return "";
    return answer.text.split("\n").find((line) => line.startsWith("[-]")) ?? answer.text;
  }

  /** Whether this one, of all api-servers, puts the changes of the store on the bus now. */
  get publishing(): boolean {
    return this.#publisher?.leading ?? false;
  }

  /** Where on the bus the changes are, as the store says it now. */
  membership(): Promise<BusMembership> {
    return this.#membership();
  }

  /** The API as `identity` in this process: same rights, same rules, no bytes in between. */
  clientFor(identity: { user: string; groups?: readonly string[] }): ApiClient {
    const groups = [...new Set([...(identity.groups ?? []), AUTHENTICATED])];
    return new InMemoryClient(this.#built, { user: identity.user, groups });
  }
}
