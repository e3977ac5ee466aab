import { afterEach, beforeEach, expect, test } from "vitest";
import type { ApiClient } from "../../../lib/client/api-client.ts";
import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { StatusError } from "../../../lib/core/status-error.ts";
import type { ConfigMap } from "../../../lib/gen/k8s/core/v1.ts";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { configMaps, leases, pods, serviceAccounts } from "../../../lib/gen/k8s/resources.ts";
import { generateSigningKey } from "../../../lib/pki/authority.ts";
import { realClock } from "../../../lib/process/real-clock.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import type { Store } from "../../../lib/store/store.ts";
import { openStore } from "../../store/open-store.ts";
import { SYSTEM_MASTERS } from "../auth/authorizer.ts";
import { InMemoryClient } from "../client/in-memory-client.ts";
import { bootstrap } from "./bootstrap.ts";
import { type BuiltCore, buildCore } from "./build-core.ts";

const NAMES = 12;
const NAMESPACES = ["default", "kube-system"];
const SELECTORS = [undefined, "tier=a", "tier in (a,b)", "tier!=a", "!tier"];
const registry = loadRegistry(kindDescriptors);
const keys = await generateSigningKey();

let store: Store;
let built: BuiltCore;
let client: ApiClient;

let ring: { events: number; sizeBytes: number } | undefined;

beforeEach(async ({ task }) => {
  ring = task.name.includes("grow old") ? { events: 40, sizeBytes: 1_000_000 } : undefined;
  const random = new SeededRandom(1);
  const log = silentLog;
  store = await openStore({ clock: realClock, random, log, onFatal: (reason) => expect.unreachable(reason) });
  const serviceAccount = { ...keys, issuer: "https://issuer" };
  built = buildCore(
    { store, registry, clock: realClock, random, log },
    { serviceAccount, ...(ring === undefined ? {} : { ring }) },
  );
  await built.cache.start();
  client = new InMemoryClient(built, { user: "admin", groups: [SYSTEM_MASTERS] });
  await bootstrap(client);
});

afterEach(async () => {
  built.watcher.endAll();
  await built.cache.stop();
  await store.close();
});

type State = Map<string, string>;

function keyOf(object: ConfigMap): string {
  return `${object.metadata?.namespace}/${object.metadata?.name}`;
}

function stateOf(items: readonly ConfigMap[]): State {
  return new Map(items.map((item) => [keyOf(item), item.metadata?.resourceVersion ?? ""]));
}

/** Follows from a list on, and can tell its state at any revision that it has passed. */
class Follower {
  readonly selector: { namespace?: string; labelSelector?: string };
  readonly #state: State;
  readonly #abort = new AbortController();
  #revision: number;
  readonly #running: Promise<void>;

  constructor(list: { resourceVersion: string; items: readonly ConfigMap[] }, selector: Follower["selector"]) {
    this.selector = selector;
    this.#state = stateOf(list.items);
    this.#revision = Number(list.resourceVersion);
    this.#running = this.#follow(list.resourceVersion);
  }

  get state(): State {
    return this.#state;
  }

  async #follow(resourceVersion: string): Promise<void> {
    const watch = client.watch(configMaps, { ...this.selector, resourceVersion, signal: this.#abort.signal });
    for await (const batch of watch) {
      for (const { type, object } of batch) {
        const revision = Number(object.metadata?.resourceVersion);
        // Ordered, and each revision of a kind without transactions once.
        expect(revision).toBeGreaterThan(this.#revision);
        this.#revision = revision;
        expect(this.#state.has(keyOf(object))).toBe(type !== "ADDED");
        if (type === "DELETED") this.#state.delete(keyOf(object));
        else this.#state.set(keyOf(object), object.metadata?.resourceVersion ?? "");
      }
    }
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }
}

async function step(random: SeededRandom): Promise<void> {
  const name = `n${Math.floor(random.float() * NAMES)}`;
  const namespace = NAMESPACES[Math.floor(random.float() * NAMESPACES.length)]!;
  const tier = ["a", "b", "c"][Math.floor(random.float() * 4)];
  const metadata = { name, namespace, ...(tier === undefined ? {} : { labels: { tier } }) };
  const data = { value: String(random.float()) };
  const choice = random.float();
  try {
    if (choice < 0.4) await client.create(configMaps, { metadata, data });
    else if (choice < 0.7) await client.update(configMaps, { metadata, data });
    else if (choice < 0.9) await client.delete(configMaps, { namespace, name });
    else await client.create(leases, { metadata: { name: `other-${random.float()}`.replace(".", "-"), namespace } });
  } catch (error) {
    if (!(error instanceof StatusError) || (error.code !== 404 && error.code !== 409)) throw error;
  }
}

test.each([11, 12, 13, 14])("invariant 18: what watches tell is what lists say, with seed %d", async (seed) => {
  const random = new SeededRandom(seed);
  const followers: Follower[] = [];
  for (let round = 0; round < 12; round++) {
    const labelSelector = SELECTORS[Math.floor(random.float() * SELECTORS.length)];
    const namespace = random.float() < 0.5 ? NAMESPACES[0] : undefined;
    const selector = {
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(namespace === undefined ? {} : { namespace }),
    };
    followers.push(new Follower(await client.list(configMaps, selector), selector));
    // Side by side, so that writes race.
    for (let burst = 0; burst < 5; burst++) await Promise.all(Array.from({ length: 8 }, () => step(random)));
    for (const follower of followers) {
      const listed = stateOf((await client.list(configMaps, follower.selector)).items);
      await expect.poll(() => follower.state, { interval: 1 }).toEqual(listed);
    }
  }
  for (const follower of followers) await follower.stop();
  expect([...built.cache.all()].reduce((sum, cache) => sum + cache.watcherCount, 0)).toBe(0);
});

test("invariant 17: an exact list is the same for ever, from memory as from the store's history", async () => {
  const random = new SeededRandom(21);
  const lists: { resourceVersion: string; state: State }[] = [];
  for (let round = 0; round < 15; round++) {
    for (let index = 0; index < 6; index++) await step(random);
    const { resourceVersion, items } = await client.list(configMaps);
    lists.push({ resourceVersion, state: stateOf(items) });
  }
  const maps = built.kinds.get("", "v1", "configmaps");
  for (const { resourceVersion, state } of lists) {
    const exact = await built.reader.list(
      { kind: maps, namespace: "", name: "", subresource: "" },
      { selectors: { label: "", field: "" }, resourceVersion, resourceVersionMatch: "Exact", limit: 0, continue: "" },
      new AbortController().signal,
    );
    expect(stateOf(exact.items.map((item) => item.object() as ConfigMap))).toEqual(state);
    expect(String(exact.revision)).toBe(resourceVersion);
  }
});

test("a node's watch is woken for its own pods alone, and does not grow old while others are busy", async () => {
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  const cache = built.cache.of(built.kinds.get("", "v1", "pods").stored);
  const { resourceVersion } = await client.list(pods);
  const abort = new AbortController();
  const seen: string[] = [];
  const watch = async (): Promise<void> => {
    const options = { fieldSelector: "spec.nodeName=mine", resourceVersion, signal: abort.signal };
    for await (const batch of client.watch(pods, options))
      for (const event of batch) seen.push(event.object.metadata?.name ?? "");
  };
  const watching = watch();
  await expect.poll(() => cache.watcherCount).toBe(1);
  let woken = 0;
  const unsubscribe = cache.subscribe(() => woken++, "mine");
  const make = (name: string, nodeName: string): Promise<unknown> =>
    client.create(pods, {
      metadata: { name, namespace: "default" },
      spec: { nodeName, containers: [{ name: "c", image: "i" }] },
    });
  // The ring of this server holds 40: without a wake now and then the watch's position would fall out.
  for (let index = 0; index < 200; index++) await make(`other-${index}`, "other");
  expect(woken).toBeGreaterThan(5);
  expect(woken).toBeLessThan(40);
  await make("first", "mine");
  await make("second", "mine");
  await expect.poll(() => seen).toEqual(["first", "second"]);
  unsubscribe();
  abort.abort();
  await watching;
  expect(cache.watcherCount).toBe(0);
});
