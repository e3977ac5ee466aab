import { readFileSync } from "node:fs";
import path from "node:path";
import type { ApiClient } from "../../lib/client/api-client.ts";
import { silentLog } from "../../lib/core/log.ts";
import { Authority, generateSigningKey } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { ApiServer } from "../../services/api-server/api-server.ts";
import { ControllerManager } from "../../services/controller-manager/controller-manager.ts";
import { Scheduler } from "../../services/scheduler/scheduler.ts";
import { openStore } from "../../services/store/open-store.ts";

const DESCRIPTORS = path.resolve(import.meta.dirname, "..", "..", "lib", "gen", "descriptors.binpb");

export interface ControlPlane {
  readonly api: ApiClient;
  stop(): Promise<void>;
}

/** Everything but the node, real and durable, in this process. */
export async function startControlPlane(dataDir: string): Promise<ControlPlane> {
  const parts = { clock: realClock, random: realRandom, log: silentLog };
  const registry = loadRegistry(readFileSync(DESCRIPTORS));
  const store = await openStore({
    ...parts,
    dataDir,
    onFatal: (reason) => {
      throw new Error(reason);
    },
    autoCompaction: { mode: "periodic", retentionMs: 300_000 },
  });
  const authority = await Authority.create("ca", realClock, realRandom);
  const tls = await authority.issue({ commonName: "kube-apiserver", usages: ["server"], validityDays: 1 });
  const server = new ApiServer(
    { ...parts, store, registry },
    {
      listen: { host: "127.0.0.1", port: 0 },
      tls,
      clientCaPem: authority.certPem,
      serviceAccount: { ...(await generateSigningKey()), issuer: "https://kubernetes.default.svc" },
    },
  );
  await server.start();
  const api = server.clientFor({ user: "test", groups: ["system:masters"] });
  const options = { identity: "test", leaderElect: false };
  const controllers = new ControllerManager({ ...parts, api, registry }, { ...options, rootCaPem: authority.certPem });
  const scheduler = new Scheduler({ ...parts, api }, options);
  await Promise.all([controllers.start(), scheduler.start()]);
  const stop = async (): Promise<void> => {
    await Promise.all([controllers.stop(), scheduler.stop()]);
    await server.stop();
    await store.close();
  };
  return { api, stop };
}
