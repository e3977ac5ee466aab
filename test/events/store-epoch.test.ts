import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { EtcdStore } from "../../lib/store/etcd-store.ts";
import type { Store } from "../../lib/store/store.ts";
import { storeEpoch } from "../../services/api-server/publish/store-epoch.ts";
import { restoreSnapshot } from "../../services/store/restore.ts";
import { openTestStore, put } from "../../services/store/testkit/test-store.ts";
import { startEtcd } from "../kit/etcd.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-epoch-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const epochOf = (store: Store) => storeEpoch({ store, random: realRandom });

test("a store that is opened again has its epoch; one that is restored from its snapshot has another", async () => {
  const dataDir = path.join(folder, "data");
  let store = await openTestStore({ dataDir });
  const epoch = await epochOf(store);
  await put(store, "k", "v");
  await store.close();
  store = await openTestStore({ dataDir });
  expect(await epochOf(store)).toBe(epoch);
  const file = path.join(folder, "snapshot");
  const snapshot = await store.snapshot();
  await writeFile(file, snapshot.chunks());
  await snapshot.dispose();
  await store.close();
  const restoredDir = path.join(folder, "restored");
  await restoreSnapshot({ file, dataDir: restoredDir }, new SeededRandom(7));
  const restored = await openTestStore({ dataDir: restoredDir });
  expect(await epochOf(restored)).not.toBe(epoch);
  await restored.close();
});

describe.skipIf(skipping("store-epoch", whyNotPrograms(["etcd"])))("on a real etcd", () => {
  test("all api-servers know the same epoch, also those that ask first at the same time", async () => {
    const etcd = await startEtcd();
    const stores = Array.from(
      { length: 3 },
      () => new EtcdStore({ clock: realClock, log: silentLog }, { endpoints: [etcd.address] }),
    );
    try {
      const epochs = await Promise.all(stores.map(epochOf));
      expect(new Set(epochs).size).toBe(1);
      expect(epochs[0]).toMatch(/^[0-9a-f]{6,16}-[0-9a-f-]{36}$/);
      expect(await epochOf(stores[0]!)).toBe(epochs[0]);
    } finally {
      await Promise.all(stores.map((store) => store.close()));
      await etcd.stop();
    }
  });
});
