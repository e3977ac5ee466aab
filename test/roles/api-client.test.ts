import { apiClientSuite } from "../../lib/client/testkit/api-client.suite.ts";
import { serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { openRealApi } from "./real-api.ts";

apiClientSuite("the API server in this process", async () => {
  const { api, stop } = await openRealApi();
  await api.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  return { api, namespace: "default", stop };
});
