import type { ApiClient } from "../../lib/client/api-client.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { ConfigMap, Secret } from "../../lib/gen/k8s/core/v1.ts";
import { configMaps, secrets } from "../../lib/gen/k8s/resources.ts";

/** ConfigMaps and Secrets that pods refer to. */
export interface ConfigSource {
  /** Undefined when there is none of this name. */
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
}

/** Reads them when they are needed: never more than what this node's pods name (invariant 52). */
export class ApiConfigSource implements ConfigSource {
  readonly #api: ApiClient;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return orUndefined(this.#api.get(configMaps, { namespace, name }));
  }

  secret(namespace: string, name: string): Promise<Secret | undefined> {
    return orUndefined(this.#api.get(secrets, { namespace, name }));
  }
}

async function orUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (thrown) {
    if (thrown instanceof StatusError && thrown.code === 404) return undefined;
    throw thrown;
  }
}
