/** The api-server of `api-create`, in a process of its own: waits for one order, then serves until it is killed. */
import { silentLog } from "../lib/core/log.ts";
import { kindDescriptors } from "../lib/gen/k8s/descriptors.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { loadRegistry } from "../lib/resource/registry.ts";
import { ApiServer, type ApiServerOptions } from "../services/api-server/api-server.ts";
import { openStore } from "../services/store/open-store.ts";

export interface ServerOrder extends Pick<ApiServerOptions, "tls" | "clientCaPem" | "serviceAccount"> {
  readonly dataDir: string;
}

export interface ServerReport {
  readonly port: number;
}

process.once("message", (order: ServerOrder) => void serve(order));

async function serve({ dataDir, ...options }: ServerOrder): Promise<void> {
  const onFatal = (reason: string): void => {
    throw new Error(reason);
  };
  const components = { clock: realClock, random: realRandom, log: silentLog };
  const store = await openStore({ ...components, dataDir, onFatal });
  const registry = loadRegistry(kindDescriptors);
  const api = new ApiServer({ ...components, store, registry }, { ...options, listen: { host: "127.0.0.1", port: 0 } });
  await api.start();
  const report: ServerReport = { port: api.port };
  process.send?.(report);
}
