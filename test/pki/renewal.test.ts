import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GrpcApiClient } from "../../lib/client/grpc-api-client.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { silentLog } from "../../lib/core/log.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { namespaces } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { EtcdStore } from "../../lib/store/etcd-store.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { StoreServer } from "../../services/store/grpc/store-server.ts";
import { openStore } from "../../services/store/open-store.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await startApi();
});
afterAll(() => fixture.stop());

const issue = (commonName: string, usage: "server" | "client" = "server") =>
  fixture.authorities.server.issue({
    commonName,
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
    usages: [usage],
    validityDays: 1,
  });

/** The fingerprint of what the server shows to a new connection. */
async function shownAt(port: number, client: KeyPair): Promise<string> {
  const tls = { ca: fixture.serverCaPem, cert: client.certPem, key: client.keyPem, ALPNProtocols: ["h2"] };
  const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ...tls });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

const fingerprintOf = (pair: KeyPair) => new X509Certificate(pair.certPem).fingerprint256;

test("an api-server shows its renewed certificate without a restart, and still asks clients for theirs", async () => {
  const { api, admin } = fixture;
  const tls = { caPem: fixture.serverCaPem, serverName: "localhost", certPem: admin.certPem, keyPem: admin.keyPem };
  const channel = new GrpcChannel({ target: `127.0.0.1:${api.grpcPort}`, tls });
  const client = new GrpcApiClient({ channel, registry: loadRegistry(kindDescriptors) });
  await client.list(namespaces);
  const pair = await issue("kube-apiserver");
  expect(await shownAt(api.port, admin)).not.toBe(fingerprintOf(pair));
  api.renewCertificate(pair);
  for (const port of [api.port, api.grpcPort]) expect(await shownAt(port, admin)).toBe(fingerprintOf(pair));
  await client.list(namespaces);
  channel.close();
  const late = new GrpcChannel({ target: `127.0.0.1:${api.grpcPort}`, tls });
  await new GrpcApiClient({ channel: late, registry: loadRegistry(kindDescriptors) }).list(namespaces);
  late.close();
  expect((await fixture.send("GET", "/api/v1/namespaces")).status).toBe(200);
  expect((await fixture.send("GET", "/api/v1/namespaces", { as: "none" })).status).toBe(401);
  const stranger = await issue("kubernetes-admin", "client");
  expect((await fixture.send("GET", "/api/v1/namespaces", { as: stranger })).status).toBe(401);
});

test("a store shows its renewed certificate without a restart, and still turns strangers away", async () => {
  const store = await openStore({ clock: realClock, random: realRandom, log: silentLog, onFatal: () => {} });
  const [first, second, client] = [await issue("store"), await issue("store"), await issue("api-server", "client")];
  const server = new StoreServer(
    { store, log: silentLog },
    { listen: "127.0.0.1:0", tls: { ...first, clientCaPem: fixture.serverCaPem } },
  );
  await server.start();
  const port = Number(server.address.split(":")[1]);
  expect(await shownAt(port, client)).toBe(fingerprintOf(first));
  server.renewCertificate(second);
  expect(await shownAt(port, client)).toBe(fingerprintOf(second));
  const reads = async (shown: KeyPair) => {
    const tls = { caPem: fixture.serverCaPem, ...shown };
    const far = new EtcdStore({ clock: realClock, log: silentLog }, { endpoints: [server.address], tls });
    try {
      return await far.range({ key: Buffer.from("k") }).then(
        ({ kvs }) => kvs.length,
        () => "turned away",
      );
    } finally {
      await far.close();
    }
  };
  expect(await reads(client)).toBe(0);
  expect(await reads(fixture.admin)).toBe("turned away");
  await server.stop();
  await store.close();
});
