import { afterEach, beforeEach, expect, test } from "vitest";
import type { ApiClient } from "../../../lib/client/api-client.ts";
import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { configMaps, namespaces } from "../../../lib/gen/k8s/resources.ts";
import { generateSigningKey } from "../../../lib/pki/authority.ts";
import { realClock } from "../../../lib/process/real-clock.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { SqliteStore } from "../../store/sqlite-store.ts";
import { openTestStore } from "../../store/testkit/test-store.ts";
import { SYSTEM_MASTERS } from "../auth/authorizer.ts";
import { InMemoryClient } from "../client/in-memory-client.ts";
import { type BuiltCore, buildCore } from "./build-core.ts";

const registry = loadRegistry(kindDescriptors);
const keys = await generateSigningKey();
const BATCH = 500;

let store: SqliteStore;
let built: BuiltCore;
let client: ApiClient;

beforeEach(async () => {
  store = await openTestStore({ clock: realClock });
  // Always the store that `store` is now.
  const present = new Proxy<Store>(store, {
    get(_, name: keyof Store) {
      const value = store[name];
      return typeof value === "function" ? value.bind(store) : value;
    },
  });
  const components = { store: present, registry, clock: realClock, random: new SeededRandom(1), log: silentLog };
  built = buildCore(components, { serviceAccount: { ...keys, issuer: "https://issuer" } });
  await built.cache.start();
  client = new InMemoryClient(built, { user: "admin", groups: [SYSTEM_MASTERS] });
});
afterEach(async () => {
  built.watcher.endAll();
  await built.cache.stop();
  await store.close();
});

/** Config maps in one transaction. */
async function transact(prefix: string, count: number): Promise<number> {
  const kind = built.kinds.get("", "v1", "configmaps").stored;
  const success = Array.from({ length: count }, (_, index) => {
    const name = `${prefix}-${index}`;
    const value = kind.encodeStored({ metadata: { name, namespace: "default" } });
    return { type: "put", key: Buffer.from(`/registry/configmaps/default/${name}`), value } as const;
  });
  return (await store.txn({ compare: [], success })).revision;
}

test("a batch holds whole revisions, so that whoever resumes after its last one misses nothing", async () => {
  const { resourceVersion } = await client.list(configMaps);
  for (let index = 0; index < 5; index++) await transact(`a${index}`, (BATCH - 10) / 5);
  const second = await transact("b", 100);
  const third = await transact("c", 5);
  const abort = new AbortController();
  const sizes: [revision: string | undefined, count: number][] = [];
  const options = { resourceVersion, bookmarkWhenCurrent: true, signal: abort.signal };
  for await (const batch of client.watch(configMaps, options)) {
    sizes.push([batch.at(-1)?.object.metadata?.resourceVersion, batch.length]);
    if (batch.at(-1)?.type === "BOOKMARK") break;
  }
  expect(sizes).toEqual([
    [String(second), BATCH + 90],
    [String(third), 5],
    [String(third), 1],
  ]);
});

test("bookmarkWhenCurrent tells the store's revision though the watched kind is quiet", async () => {
  const { resourceVersion } = await client.list(namespaces);
  const revision = await transact("a", 1);
  const abort = new AbortController();
  const options = { resourceVersion, bookmarkWhenCurrent: true, signal: abort.signal };
  for await (const batch of client.watch(namespaces, options)) {
    expect(batch.map(({ type }) => type)).toEqual(["BOOKMARK"]);
    expect(Number(batch[0]!.object.metadata?.resourceVersion)).toBeGreaterThanOrEqual(revision);
    break;
  }
});

test("a store that goes back, as after a restore: nothing of what it left is shown, and watches end as expired", async () => {
  await transact("common", 1);
  for (let index = 0; index < 3; index++) await transact(`left-${index}`, 1);
  const { resourceVersion } = await client.list(configMaps);
  const watching = (async () => {
    const abort = new AbortController();
    for await (const _ of client.watch(configMaps, { resourceVersion, signal: abort.signal }));
  })();
  const ended = expect(watching).rejects.toMatchObject({ code: 410, reason: "Expired" });
  await expect.poll(() => built.cache.of(built.kinds.get("", "v1", "configmaps").stored).watcherCount).toBe(1);
  const left = store;
  store = await openTestStore({ clock: realClock });
  try {
    const revision = await transact("common", 1);
    const listed = await client.list(configMaps);
    expect(listed.items.map((item) => item.metadata?.name)).toEqual(["common-0"]);
    expect(listed.resourceVersion).toBe(String(revision));
    await ended;
    const again = client.watch(configMaps, { resourceVersion, signal: new AbortController().signal });
    await expect(again[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 410, reason: "Expired" });
    // A revision that nobody has seen yet is waited for, as ever.
    await transact("new", 1);
    expect((await client.list(configMaps)).items).toHaveLength(2);
  } finally {
    await left.close();
  }
});
