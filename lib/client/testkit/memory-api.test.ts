import { expect, test } from "vitest";
import { SeededRandom } from "../../core/seeded-random.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import type { ResourceRef } from "../../resource/kind.ts";
import type { ApiObject } from "../api-object.ts";
import { apiClientSuite } from "./api-client.suite.ts";
import { MemoryApi } from "./memory-api.ts";

const pods: ResourceRef<ApiObject> = { group: "", version: "v1", kind: "Pod", resource: "pods", namespaced: true };
const open = () => new MemoryApi({ clock: new VirtualClock(), random: new SeededRandom(1) });

apiClientSuite("simulator", async () => ({ api: open(), namespace: "default", stop: async () => {} }));

test("a watch from before a compaction is told 410 Expired", async () => {
  const api = open();
  await api.create(pods, { metadata: { name: "a", namespace: "x" } });
  await api.create(pods, { metadata: { name: "b", namespace: "x" } });
  api.compact();
  const watch = api.watch(pods, { resourceVersion: "2", signal: new AbortController().signal });
  await expect(watch[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 410 });
});

test("a write whose outcome the caller does not learn has happened", async () => {
  const api = open();
  api.after = () => {
    throw new Error("connection lost");
  };
  await expect(api.create(pods, { metadata: { name: "a", namespace: "x" } })).rejects.toThrow("connection lost");
  api.after = undefined;
  expect((await api.get(pods, { namespace: "x", name: "a" })).metadata?.name).toBe("a");
});

test("deleting a pod on a node gives it time; grace 0 ends it", async () => {
  const api = open();
  await api.create(pods, { metadata: { name: "a", namespace: "x" }, spec: { nodeName: "n" } } as ApiObject);
  await api.delete(pods, { namespace: "x", name: "a" });
  const dying = await api.get(pods, { namespace: "x", name: "a" });
  expect(dying.metadata?.deletionTimestamp).toBe("2026-01-01T00:00:30Z");
  await api.delete(pods, { namespace: "x", name: "a" }, { gracePeriodSeconds: 0 });
  await expect(api.get(pods, { namespace: "x", name: "a" })).rejects.toMatchObject({ code: 404 });
});
