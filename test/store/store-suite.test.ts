import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { EtcdStore } from "../../lib/store/etcd-store.ts";
import { storeSuite } from "../../lib/store/store.suite.ts";
import type { Store } from "../../lib/store/store.ts";
import { StoreServer } from "../../services/store/grpc/store-server.ts";
import { openStore } from "../../services/store/open-store.ts";
import { startEtcd } from "../kit/etcd.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function openOnDisk() {
  const dataDir = mkdtempSync(path.join(tmpdir(), "keelson-store-"));
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
  return openStore({
    dataDir,
    clock: realClock,
    random: realRandom,
    log: silentLog,
    onFatal: (reason) => {
      throw new Error(reason);
    },
  });
}

function client(address: string): Store {
  return new EtcdStore({ clock: realClock, log: silentLog }, { endpoints: [address] });
}

const real = { advance: (ms: number) => realClock.sleep(ms) };

storeSuite("on disk, on its own thread", {
  ...real,
  open: openOnDisk,
  minLeaseSeconds: 1,
  progressTrusted: true,
  keepsDeletionAtCompactRevision: true,
});

storeSuite("ours over gRPC", {
  ...real,
  async open() {
    const store = await openOnDisk();
    const server = new StoreServer({ store, log: silentLog }, { listen: "127.0.0.1:0" });
    await server.start();
    cleanups.push(
      () => store.close(),
      () => server.stop(),
    );
    return client(server.address);
  },
  minLeaseSeconds: 1,
  progressTrusted: true,
  keepsDeletionAtCompactRevision: true,
});

if (!skipping("store suite on etcd", whyNotPrograms(["etcd"]))) {
  storeSuite("etcd 3.4", {
    // etcd looks for leases that have ended twice a second.
    advance: (ms) => realClock.sleep(ms + 50),
    async open() {
      const etcd = await startEtcd();
      cleanups.push(() => etcd.stop());
      return client(etcd.address);
    },
    minLeaseSeconds: 2,
    progressTrusted: false,
    keepsDeletionAtCompactRevision: false,
  });
}
