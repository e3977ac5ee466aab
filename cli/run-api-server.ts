import { addressFlag, etcdEndpoints, isLocalAddress } from "./address-flags.ts";
import { type Command, type FlagValues, neededFlag, parseFlags, refusing, stringFlag, UsageError } from "./command.ts";
import { identityFlag, natsFlag, ROLE_FLAGS, ROLE_USAGE, roleOptions } from "./role-flags.ts";

const FILES = [
  "server.crt",
  "server.key",
  "client-ca.crt",
  "kubelet-ca.crt",
  "kubelet-client.crt",
  "kubelet-client.key",
  "service-account.key",
  "service-account.pub",
];
const DEFAULT_CLUSTER = "keelson";
const STORE_FILES = ["store-ca.crt", "store-client.crt", "store-client.key"];

export const runApiServerCommand: Command = {
  summary: "serves the Kubernetes API from a store",
  usage: `keelson run api-server --identity=DIR --store=etcd://HOST:PORT[,HOST:PORT...] --listen=HOST:PORT
                       --grpc-listen=HOST:PORT

  --identity=DIR          what "keelson pki" made for api-server
  --store=URL             an etcd cluster or "keelson run store", with TLS; unix:PATH with --insecure
  --insecure              the store is asked in plain text: on a loopback address or a unix socket only
  --listen=HOST:PORT      where REST is served (port 0: a free one, printed)
  --grpc-listen=HOST:PORT where gRPC is served
  --nats=LIST             addresses of nats-servers: one of the api-servers publishes changes there, and all admit the
                          other roles; needs bus-account.seed of the identity
  --cluster=NAME          the cluster's name on the bus (default ${DEFAULT_CLUSTER})
${ROLE_USAGE}

Any number of them may serve one store. At start it waits for the store.`,
  async run(args, io) {
    const { values } = parseFlags(args, {
      identity: "string",
      store: "string",
      insecure: "boolean",
      listen: "string",
      "grpc-listen": "string",
      nats: "string",
      cluster: "string",
      ...ROLE_FLAGS,
    });
    const store = storeOf(values);
    const listen = addressFlag(values, "listen");
    const grpc = addressFlag(values, "grpc-listen");
    const nats = natsFlag(values);
    const busFiles = nats.bus === undefined ? [] : ["bus-account.seed", "server-ca.crt"];
    const identity = identityFlag(values, [...FILES, ...(store.isPlainText ? [] : STORE_FILES), ...busFiles]);
    const cluster = stringFlag(values, "cluster") ?? DEFAULT_CLUSTER;
    const role = roleOptions(values, io, identity, "client");
    const options = { ...role, ...nats, identity, store, listen, grpc, cluster };
    const { runApiServerRole } = await import("../services/api-server/main.ts");
    return refusing(() => runApiServerRole(options));
  },
};

function storeOf(values: FlagValues): { endpoints: readonly string[]; isPlainText: boolean } {
  const text = neededFlag(values, "store");
  const isPlainText = values["insecure"] === true;
  const endpoints = /^unix:./.test(text) ? [text] : etcdEndpoints(text, "store", " or unix:PATH");
  const distant = endpoints.find((one) => !isLocalAddress(one));
  if (isPlainText && distant !== undefined) {
    throw new UsageError(`--insecure needs a store on a loopback address or a unix socket, not ${distant}`);
  }
  if (!isPlainText && endpoints.some((one) => one.startsWith("unix:"))) {
    throw new UsageError("--store: a unix socket is plain text: say --insecure");
  }
  return { endpoints, isPlainText };
}
