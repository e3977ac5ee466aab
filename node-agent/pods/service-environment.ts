import type { ApiClient } from "../../lib/client/api-client.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { Pod, Service } from "../../lib/gen/k8s/core/v1.ts";
import { services } from "../../lib/gen/k8s/resources.ts";

const API_SERVICE = { namespace: "default", name: "kubernetes" };

/**
 * Variables that tell containers where services are; source:
 * kubernetes/website:content/en/docs/tutorials/services/connect-applications-service.md. The API's own service always,
 * those of the pod's namespace with `enableServiceLinks`.
 */
export class ServiceEnvironment {
  readonly #api: ApiClient;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async of(pod: Pod): Promise<Readonly<Record<string, string>>> {
    const namespace = pod.metadata?.namespace ?? "";
    const [own, apiService] = await Promise.all([
      pod.spec?.enableServiceLinks === false ? [] : this.#listed(namespace),
      namespace === API_SERVICE.namespace && pod.spec?.enableServiceLinks !== false ? undefined : this.#apiService(),
    ]);
    const all = apiService === undefined ? own : [apiService, ...own];
    return Object.assign({}, ...all.map(variablesOf));
  }

  async #listed(namespace: string): Promise<readonly Service[]> {
    return (await this.#api.list(services, { namespace })).items;
  }

  async #apiService(): Promise<Service | undefined> {
    try {
      return await this.#api.get(services, API_SERVICE);
    } catch (thrown) {
      if (thrown instanceof StatusError && thrown.code === 404) return undefined;
      throw thrown;
    }
  }
}

function variablesOf(service: Service): Record<string, string> {
  const { clusterIP, ports = [] } = service.spec ?? {};
  const [first] = ports;
  if (clusterIP === undefined || clusterIP === "" || clusterIP === "None" || first === undefined) return {};
  const prefix = upper(service.metadata?.name ?? "");
  const result: Record<string, string> = {
    [`${prefix}_SERVICE_HOST`]: clusterIP,
    [`${prefix}_SERVICE_PORT`]: String(first.port),
  };
  for (const port of ports)
    if (port.name !== undefined) result[`${prefix}_SERVICE_PORT_${upper(port.name)}`] = String(port.port);
  const address = (port: typeof first) => `${(port.protocol ?? "TCP").toLowerCase()}://${clusterIP}:${port.port}`;
  result[`${prefix}_PORT`] = address(first);
  for (const port of ports) {
    const protocol = (port.protocol ?? "TCP").toUpperCase();
    const each = `${prefix}_PORT_${port.port}_${protocol}`;
    result[each] = address(port);
    result[`${each}_PROTO`] = protocol.toLowerCase();
    result[`${each}_PORT`] = String(port.port);
    result[`${each}_ADDR`] = clusterIP;
  }
  return result;
}

function upper(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
