import { apiClientSuite } from "../../lib/client/testkit/api-client.suite.ts";
import { serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { startApi } from "../api/api-fixture.ts";

apiClientSuite("the API server in this process", async () => {
  const { client, stop } = await startApi();
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  return { api: client, namespace: "default", stop };
});
