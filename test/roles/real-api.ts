import type { ApiClient } from "../../lib/client/api-client.ts";
import { silentLog } from "../../lib/core/log.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry, type Registry } from "../../lib/resource/registry.ts";
import { SYSTEM_MASTERS } from "../../services/api-server/auth/authorizer.ts";
import { InMemoryClient } from "../../services/api-server/client/in-memory-client.ts";
import { bootstrap } from "../../services/api-server/core/bootstrap.ts";
import { buildCore } from "../../services/api-server/core/build-core.ts";
import { openStore } from "../../services/store/open-store.ts";

/** The real API server's core on a real store that lives in memory, without a port. */
export async function openRealApi(): Promise<{ api: ApiClient; registry: Registry; stop(): Promise<void> }> {
  const components = { clock: realClock, random: realRandom, log: silentLog };
  const onFatal = (reason: string): void => {
    throw new Error(reason);
  };
  const store = await openStore({ ...components, onFatal });
  const registry = loadRegistry(kindDescriptors);
  const built = buildCore({ ...components, store, registry }, { clusterSecret: "of this test" });
  await built.cache.start();
  const api = new InMemoryClient(built, { user: "test", groups: [SYSTEM_MASTERS] });
  await bootstrap(api);
  const stop = async () => {
    await built.cache.stop();
    await store.close();
  };
  return { api, registry, stop };
}
