import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ApiClient } from "../../../lib/client/api-client.ts";
import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { pods, serviceAccounts } from "../../../lib/gen/k8s/resources.ts";
import { generateSigningKey } from "../../../lib/pki/authority.ts";
import { realClock } from "../../../lib/process/real-clock.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import type { Store } from "../../../lib/store/store.ts";
import { openStore } from "../../store/open-store.ts";
import { SYSTEM_MASTERS } from "../auth/authorizer.ts";
import { InMemoryClient } from "../client/in-memory-client.ts";
import { bootstrap } from "./bootstrap.ts";
import { type BuiltCore, buildCore } from "./build-core.ts";

const keys = await generateSigningKey();
let store: Store;
let built: BuiltCore;
let client: ApiClient;

beforeEach(async () => {
  const random = new SeededRandom(1);
  const log = silentLog;
  store = await openStore({ clock: realClock, random, log, onFatal: (reason) => expect.unreachable(reason) });
  const registry = loadRegistry(kindDescriptors);
  built = buildCore(
    { store, registry, clock: realClock, random, log },
    { serviceAccount: { ...keys, issuer: "https://issuer" } },
  );
  await built.cache.start();
  client = new InMemoryClient(built, { user: "admin", groups: [SYSTEM_MASTERS] });
  await bootstrap(client);
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
});

afterEach(async () => {
  await built.cache.stop();
  await store.close();
});

function pod(name: string): Pod {
  return { metadata: { name, namespace: "default" }, spec: { containers: [{ name: "c", image: "i" }] } };
}

describe("write path", () => {
  test("a pod is created, read, listed and deleted", async () => {
    const made = await client.create(pods, pod("web"));
    expect(made.metadata?.uid).toMatch(/-/);
    expect(made.status?.phase).toBe("Pending");
    expect(await client.get(pods, { namespace: "default", name: "web" })).toBe(made);
    const list = await client.list(pods, { namespace: "default" });
    expect(list.items).toEqual([made]);
    await client.delete(pods, { namespace: "default", name: "web" });
    expect((await client.list(pods)).items).toEqual([]);
  });
  test("a grace that no time can express ends with the year 9999, and can be shortened", async () => {
    const key = { namespace: "default", name: "patient" };
    await client.create(pods, pod("patient"));
    await client.createSubresource(pods, key, "binding", {
      metadata: { name: "patient" },
      target: { kind: "Node", name: "n" },
    });
    await client.delete(pods, key, { gracePeriodSeconds: Number.MAX_SAFE_INTEGER });
    expect((await client.get(pods, key)).metadata?.deletionTimestamp).toMatch(/^9999-12-31T23:59:5/);
    await client.delete(pods, key, { gracePeriodSeconds: 5 });
    const { metadata } = await client.get(pods, key);
    expect(metadata?.deletionGracePeriodSeconds).toBe(5);
    expect(Math.abs(Date.parse(metadata?.deletionTimestamp ?? "") - Date.now())).toBeLessThan(60_000);
  });
  test("invariant 40: a pod is bound once", async () => {
    await client.create(pods, pod("web"));
    const key = { namespace: "default", name: "web" };
    const binding = { metadata: { name: "web" }, target: { kind: "Node", name: "n1" } };
    await client.createSubresource(pods, key, "binding", binding);
    const bound = await client.get(pods, key);
    expect(bound.spec?.nodeName).toBe("n1");
    expect(bound.status?.conditions?.[0]).toMatchObject({ type: "PodScheduled", status: "True" });
    const again = client.createSubresource(pods, key, "binding", { ...binding, target: { kind: "Node", name: "n2" } });
    await expect(again).rejects.toMatchObject({ code: 409, reason: "Conflict" });
    expect((await client.get(pods, key)).spec?.nodeName).toBe("n1");
  });
});
