import { expect, test } from "vitest";
import { GrpcApiClient } from "../../lib/client/grpc-api-client.ts";
import { apiClientSuite } from "../../lib/client/testkit/api-client.suite.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { configMaps, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { startApi } from "../api/api-fixture.ts";

async function open() {
  const fixture = await startApi();
  await fixture.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  const channel = new GrpcChannel({
    target: `127.0.0.1:${fixture.api.grpcPort}`,
    tls: { caPem: fixture.serverCaPem, certPem: fixture.admin.certPem, keyPem: fixture.admin.keyPem },
  });
  const api = new GrpcApiClient({ channel, registry: loadRegistry(kindDescriptors) });
  const stop = async () => {
    channel.close();
    await fixture.stop();
  };
  return { api, namespace: "default", stop, fixture };
}

apiClientSuite("keelson.api.v1.Resources over gRPC", open);

test("a server that is gone is 503, which callers try again", async () => {
  const { api, stop } = await open();
  await stop();
  await expect(api.list(configMaps)).rejects.toMatchObject({ code: 503, reason: "ServiceUnavailable" });
});
