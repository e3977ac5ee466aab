import type { Startable } from "../../lib/core/startable.ts";
import { BusUsers } from "../../lib/events/nats/bus-users.ts";
import { NatsBus } from "../../lib/events/nats/nats-bus.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { CertificateWatch } from "../../lib/process/certificate-watch.ts";
import type { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { type RoleContext, type RoleProcessOptions, runRole } from "../../lib/role/role-process.ts";
import { EtcdStore, type EtcdStoreOptions } from "../../lib/store/etcd-store.ts";
import { ApiServer } from "./api-server.ts";
import { publisherCredentials } from "./events/publisher-credentials.ts";
import { StoreWait } from "./store-wait.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ApiServerRoleOptions extends RoleProcessOptions {
  readonly identity: IdentityFolder;
  /** Of an etcd or of our store. */
  readonly store: { readonly endpoints: readonly string[]; readonly isPlainText: boolean };
  readonly listen: Address;
  readonly grpc: Address;
  /** `HOST:PORT` of the bus's servers; absent: changes are told by watch alone. */
  readonly bus?: readonly string[];
  /** The cluster's name on the bus. */
  readonly cluster: string;
}

const ISSUER = "https://kubernetes.default.svc.cluster.local";

/** Serves the API until a signal; resolves to the exit status. */
export function runApiServerRole(options: ApiServerRoleOptions): Promise<number> {
  return runRole({ role: "api-server" }, options, (context) => {
    const { identity, listen, grpc } = options;
    const store = new EtcdStore(context, storeOptions(options));
    const patience = new StoreWait({ ...context, store });
    const bus = busOf(options, context);
    const api = new ApiServer(
      { ...context, ...bus, store, registry: loadRegistry(kindDescriptors) },
      {
        cluster: options.cluster,
        listen,
        grpc,
        tls: identity.keyPair("server"),
        clientCaPem: identity.authorityPem("client"),
        serviceAccount: {
          privateKeyPem: identity.text("service-account.key"),
          publicKeyPem: identity.text("service-account.pub"),
          issuer: ISSUER,
        },
        // An etcd keeps all history until it is told otherwise; so does "keelson run store" by default.
        compaction: {},
        kubelet: { ...identity.keyPair("kubelet-client"), caPem: identity.authorityPem("kubelet") },
      },
    );
    const line = () => `api-server listens on ${listen.host}:${api.port}, gRPC on ${grpc.host}:${api.grpcPort}`;
    const announcement: Startable = { start: async () => options.announce(line()), stop: async () => {} };
    const renewals = [
      new CertificateWatch({ ...context, identity, renewed: (pair) => api.renewCertificate(pair) }, "server"),
      new CertificateWatch({ ...context, identity, renewed: (pair) => api.renewKubeletClient(pair) }, "kubelet-client"),
    ];
    const connection: Startable = { start: async () => {}, stop: () => store.close() };
    return {
      parts: [connection, patience, ...(bus === undefined ? [] : [bus.bus]), api, ...renewals, announcement],
      async describe() {
        const detail = patience.isOver ? await api.problem() : `waiting for the store at ${options.store.endpoints}`;
        return { ready: detail === "", leading: api.publishing, detail };
      },
    };
  });
}

/** The bus that this api-server publishes on, and the signature by which it admits others. */
function busOf({ identity, bus: servers, cluster }: ApiServerRoleOptions, context: RoleContext) {
  if (servers === undefined) return undefined;
  const busUsers = new BusUsers(context, { accountSeed: identity.text("bus-account.seed") });
  const credentials = publisherCredentials(busUsers, cluster);
  const options = { servers, name: context.instance, tls: { caPem: identity.authorityPem("server") } };
  return { busUsers, bus: new NatsBus({ ...context, credentials }, options) };
}

function storeOptions({ identity, store }: ApiServerRoleOptions): EtcdStoreOptions {
  const { endpoints, isPlainText } = store;
  if (isPlainText) return { endpoints };
  return {
    endpoints,
    // Read again when a connection fails: it may have been renewed.
    get tls() {
      return { caPem: identity.authorityPem("store"), ...identity.keyPair("store-client") };
    },
  };
}
