import { GrpcApiClient } from "../../lib/client/grpc-api-client.ts";
import { Informer } from "../../lib/controller/informer.ts";
import { silentLog } from "../../lib/core/log.ts";
import type { ConfigMap } from "../../lib/gen/k8s/core/v1.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { configMaps, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { EtcdStore } from "../../lib/store/etcd-store.ts";
import type { Store } from "../../lib/store/store.ts";
import { listTarget } from "../../lib/transport/address-list.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { type ApiFixture, type ApiFixtureOptions, type HttpAnswer, startApi } from "../api/api-fixture.ts";

export const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

export function etcdStore(endpoints: readonly string[]): EtcdStore {
  return new EtcdStore({ clock: realClock, log: silentLog }, { endpoints });
}

/** Two api-servers of one cluster, each with its own line to the store. */
export interface TwoServers extends AsyncDisposable {
  readonly first: ApiFixture;
  readonly second: ApiFixture;
  /** ConfigMaps as a client of both over gRPC sees them; of the first server, as long as it can be reached. */
  informer(of?: readonly ApiFixture[]): Promise<Informer<ConfigMap>>;
}

export async function startTwo(
  stores: readonly [Store, Store],
  options: Pick<ApiFixtureOptions, "compaction" | "ring"> = {},
): Promise<TwoServers> {
  const first = await startApi({ ...options, store: stores[0] });
  const second = await startApi({ ...options, store: stores[1], authorities: first.authorities });
  await first.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  const stops: (() => Promise<void>)[] = [];
  return {
    first,
    second,
    async informer(of = [first, second]) {
      const { certPem, keyPem } = first.admin;
      const channel = new GrpcChannel({
        target: listTarget(of.map(({ api }) => `127.0.0.1:${api.grpcPort}`)),
        tls: { caPem: first.serverCaPem, certPem, keyPem, serverName: "kubernetes" },
      });
      const api = new GrpcApiClient({ channel, registry: loadRegistry(kindDescriptors) });
      const components = { api, clock: realClock, random: realRandom, log: silentLog };
      const informer = new Informer<ConfigMap>(components, configMaps, { namespace: "default" });
      stops.push(async () => {
        await informer.stop();
        channel.close();
      });
      await informer.start();
      await informer.whenSynced();
      return informer;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stops.map((stop) => stop()));
      await Promise.all([first.stop(), second.stop()]);
    },
  };
}

/** Creates or replaces a ConfigMap by REST. */
export function post(of: ApiFixture, name: string, data: Record<string, string> = {}): Promise<HttpAnswer> {
  return of.send("POST", CONFIG_MAPS, { body: JSON.stringify({ metadata: { name }, data }) });
}

export function revisionOf(answer: HttpAnswer): string {
  return (answer.json()["metadata"] as { resourceVersion: string }).resourceVersion;
}

/** Names in a list of ConfigMaps. */
export function namesOf(answer: HttpAnswer): string[] {
  return (answer.json()["items"] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
}
