import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { Registry } from "../../lib/resource/registry.ts";
import type { Store } from "../../lib/store/store.ts";
import { AUTHENTICATED, SYSTEM_MASTERS } from "./auth/authorizer.ts";
import { InMemoryClient } from "./client/in-memory-client.ts";
import { bootstrap } from "./core/bootstrap.ts";
import { type BuiltCore, buildCore } from "./core/build-core.ts";
import type { Identity } from "./core/request.ts";
import { RestServer } from "./rest/rest-server.ts";

export interface ApiServerComponents {
  /** Belongs to the caller, who closes it after `stop`. */
  readonly store: Store;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ApiServerOptions {
  /** An address (port 0: a free one), or a listening socket that was inherited. */
  readonly listen: { readonly host: string; readonly port: number } | { readonly fd: number };
  readonly tls: { readonly certPem: string; readonly keyPem: string };
  /** Signs the certificates of clients. */
  readonly clientCaPem: string;
  readonly serviceAccount: {
    readonly privateKeyPem: string;
    readonly publicKeyPem: string;
    readonly issuer: string;
  };
  /** How the kubelets' servers are reached: our client certificate and the authority of theirs. */
  readonly kubelet?: { readonly certPem: string; readonly keyPem: string; readonly caPem: string };
}

const SELF: Identity = { user: "system:apiserver", groups: [SYSTEM_MASTERS, AUTHENTICATED] };

/** The Kubernetes API: REST over HTTPS, gRPC `Resources` and, for roles in this process, `clientFor`. */
export class ApiServer implements Startable {
  readonly #components: ApiServerComponents;
  readonly #options: ApiServerOptions;
  readonly #built: BuiltCore;
  #rest: RestServer | undefined;

  constructor(components: ApiServerComponents, options: ApiServerOptions) {
    this.#components = components;
    this.#options = options;
    this.#built = buildCore(components, { serviceAccount: options.serviceAccount });
  }

  /** Resolves when the caches are filled, the first objects exist and the port is open. */
  async start(): Promise<void> {
    await this.#built.cache.start();
    await bootstrap(this.clientFor(SELF));
    this.#rest = new RestServer({ ...this.#components, built: this.#built }, this.#options);
    await this.#rest.start();
  }

  async stop(): Promise<void> {
    await this.#rest?.stop();
    await this.#built.cache.stop();
  }

  /** Where REST listens; after `start`. */
  get port(): number {
    return this.#rest?.port ?? 0;
  }

  /** The API as `identity` in this process: same rights, same rules, no bytes in between. */
  clientFor(identity: { user: string; groups?: readonly string[] }): ApiClient {
    const groups = [...new Set([...(identity.groups ?? []), AUTHENTICATED])];
    return new InMemoryClient(this.#built, { user: identity.user, groups });
  }
}
