import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StatusError } from "../../core/status-error.ts";
import type { ResourceRef } from "../../resource/kind.ts";
import type { ApiClient, WatchEvent } from "../api-client.ts";
import type { ApiObject } from "../api-object.ts";

/** What the suite needs of an implementation: an API that knows ConfigMaps, Pods, Namespaces and Leases of `namespace`. */
export interface ApiUnderTest {
  readonly api: ApiClient;
  /** Exists, is Active, and holds nothing of the suite. */
  readonly namespace: string;
  stop(): Promise<void>;
}

interface ConfigMap extends ApiObject {
  readonly data?: Record<string, string>;
}
interface Pod extends ApiObject {
  readonly spec?: { nodeName?: string; containers: { name: string; image: string }[] };
  readonly status?: { phase?: string; conditions?: { type: string; status: string }[] };
}
interface Lease extends ApiObject {
  readonly spec?: { holderIdentity?: string; leaseTransitions?: number };
}

const configMaps: ResourceRef<ConfigMap> = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  resource: "configmaps",
  namespaced: true,
};
const pods: ResourceRef<Pod> = { group: "", version: "v1", kind: "Pod", resource: "pods", namespaced: true };
const leases: ResourceRef<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  resource: "leases",
  namespaced: true,
};

/** The promises of ApiClient that roles stand on. Runs on the simulator and on the real API server. */
export function apiClientSuite(name: string, open: () => Promise<ApiUnderTest>): void {
  describe(`ApiClient: ${name}`, () => {
    let under: ApiUnderTest;
    let api: ApiClient;
    const stopWatches = new AbortController();
    beforeEach(async () => {
      under = await open();
      api = under.api;
    });
    afterEach(async () => {
      await under.stop();
    });

    const make = (objectName: string, labels: Record<string, string> = {}): ConfigMap => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: objectName, namespace: under.namespace, labels },
      data: { a: "1" },
    });
    const key = (objectName: string) => ({ namespace: under.namespace, name: objectName });

    test("create gives uid, creationTimestamp and resourceVersion; a second one is AlreadyExists", async () => {
      const created = await api.create(configMaps, make("a"));
      expect(created.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(created.metadata?.creationTimestamp).toMatch(/Z$/);
      expect(Number(created.metadata?.resourceVersion)).toBeGreaterThan(0);
      expect(Object.isFrozen(created)).toBe(true);
      await expect(api.create(configMaps, make("a"))).rejects.toMatchObject({ code: 409, reason: "AlreadyExists" });
      expect(await api.get(configMaps, key("a"))).toEqual(created);
    });

    test("what is not there is NotFound", async () => {
      await expect(api.get(configMaps, key("none"))).rejects.toMatchObject({
        code: 404,
        reason: "NotFound",
        message: 'configmaps "none" not found',
      });
      await expect(api.delete(configMaps, key("none"))).rejects.toBeInstanceOf(StatusError);
    });

    test("invariant 16: of two updates from one resourceVersion one wins, the other is a Conflict", async () => {
      const created = await api.create(configMaps, make("race"));
      const results = await Promise.allSettled([
        api.update(configMaps, { ...created, data: { a: "x" } }),
        api.update(configMaps, { ...created, data: { a: "y" } }),
      ]);
      expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
      const failed = results.find((result) => result.status === "rejected");
      expect(failed?.reason).toMatchObject({ code: 409, reason: "Conflict" });
    });

    test("an update that changes nothing writes nothing", async () => {
      const created = await api.create(configMaps, make("same"));
      const again = await api.update(configMaps, created);
      expect(again.metadata?.resourceVersion).toBe(created.metadata?.resourceVersion);
    });

    test("a delete with a wrong uid is a Conflict", async () => {
      await api.create(configMaps, make("kept"));
      const uid = "00000000-0000-4000-8000-000000000000";
      await expect(api.delete(configMaps, key("kept"), { uid })).rejects.toMatchObject({ code: 409 });
      await api.delete(configMaps, key("kept"));
      await expect(api.get(configMaps, key("kept"))).rejects.toMatchObject({ code: 404 });
    });

    test("invariant 21: a finalizer holds the object until it is taken off", async () => {
      const draft = make("held");
      await api.create(configMaps, { ...draft, metadata: { ...draft.metadata, finalizers: ["keelson.dev/test"] } });
      await api.delete(configMaps, key("held"));
      const dying = await api.get(configMaps, key("held"));
      expect(dying.metadata?.deletionTimestamp).toBeDefined();
      await api.patch(configMaps, key("held"), { type: "merge", body: { metadata: { finalizers: null } } });
      await expect(api.get(configMaps, key("held"))).rejects.toMatchObject({ code: 404 });
    });

    test("a list takes selectors, and a watch from its revision misses nothing", async () => {
      await api.create(configMaps, make("one", { tier: "front" }));
      await api.create(configMaps, make("two", { tier: "back" }));
      const listed = await api.list(configMaps, { namespace: under.namespace, labelSelector: "tier=front" });
      expect(listed.items.map((item) => item.metadata?.name)).toEqual(["one"]);
      const seen = collect(
        api.watch(configMaps, {
          namespace: under.namespace,
          labelSelector: "tier=front",
          resourceVersion: listed.resourceVersion,
          signal: stopWatches.signal,
        }),
        3,
      );
      const two = await api.get(configMaps, key("two"));
      await api.update(configMaps, { ...two, metadata: { ...two.metadata, labels: { tier: "front" } } });
      await api.patch(configMaps, key("one"), { type: "merge", body: { data: { b: "2" } } });
      await api.patch(configMaps, key("two"), { type: "merge", body: { metadata: { labels: { tier: "back" } } } });
      expect((await seen).map((event) => `${event.type} ${event.object.metadata?.name}`)).toEqual([
        "ADDED two",
        "MODIFIED one",
        "DELETED two",
      ]);
    });

    test("sendInitialEvents ends with the bookmark that says so", async () => {
      await api.create(configMaps, make("early", { set: "initial" }));
      const events = await collect(
        api.watch(configMaps, {
          namespace: under.namespace,
          labelSelector: "set=initial",
          sendInitialEvents: true,
          allowBookmarks: true,
          signal: stopWatches.signal,
        }),
        2,
      );
      expect(events.map((event) => event.type)).toEqual(["ADDED", "BOOKMARK"]);
      expect(events[1]?.object.metadata?.annotations?.["k8s.io/initial-events-end"]).toBe("true");
      expect(Number(events[1]?.object.metadata?.resourceVersion)).toBeGreaterThan(0);
    });

    test("bookmarkWhenCurrent: a bookmark after all that was there when asked, and the watch goes on", async () => {
      const { resourceVersion } = await api.list(configMaps, { namespace: under.namespace });
      const made = await api.create(configMaps, make("c1"));
      const options = { namespace: under.namespace, bookmarkWhenCurrent: true, signal: stopWatches.signal };
      const events = api.watch(configMaps, { ...options, resourceVersion })[Symbol.asyncIterator]();
      const seen: string[] = [];
      let through = 0;
      const until = async (count: number) => {
        while (seen.length < count) {
          const { value, done } = await events.next();
          if (done) expect.unreachable("the watch ended");
          for (const { type, object } of value) {
            seen.push(`${type} ${object.metadata?.name ?? ""}`);
            if (type === "BOOKMARK") through = Number(object.metadata?.resourceVersion);
          }
        }
      };
      await until(2);
      expect(seen).toEqual(["ADDED c1", "BOOKMARK "]);
      expect(through).toBeGreaterThanOrEqual(Number(made.metadata?.resourceVersion));
      await api.delete(configMaps, key("c1"));
      await until(3);
      expect(seen.at(-1)).toBe("DELETED c1");
      await events.return?.();
      const above = String(Number(made.metadata?.resourceVersion) + 1_000_000);
      await expect(collect(api.watch(configMaps, { ...options, resourceVersion: above }), 1)).rejects.toMatchObject({
        code: 410,
      });
    });

    test("an aborted watch ends without an error", async () => {
      const aborter = new AbortController();
      const { resourceVersion } = await api.list(configMaps, { namespace: under.namespace });
      const ending = collect(
        api.watch(configMaps, { namespace: under.namespace, resourceVersion, signal: aborter.signal }),
        1,
      );
      aborter.abort();
      expect(await ending).toEqual([]);
    });

    test("invariant 20: a status write leaves the spec alone and the main resource leaves the status alone", async () => {
      const created = await api.create(pods, podOf("p", under.namespace));
      await api.patch(
        pods,
        key("p"),
        { type: "merge", body: { spec: { nodeName: "evil" }, status: { phase: "Running" } } },
        { subresource: "status" },
      );
      const after = await api.get(pods, key("p"));
      expect(after.spec?.nodeName).toBeUndefined();
      expect(after.status?.phase).toBe("Running");
      await api.patch(pods, key("p"), {
        type: "merge",
        body: { metadata: { labels: { x: "y" } }, status: { phase: "Failed" } },
      });
      const last = await api.get(pods, key("p"));
      expect(last.status?.phase).toBe("Running");
      expect(last.metadata?.labels?.["x"]).toBe("y");
      expect(last.metadata?.uid).toBe(created.metadata?.uid);
    });

    test("invariant 40: a pod is bound once", async () => {
      await api.create(pods, podOf("b", under.namespace));
      const binding = (node: string) => ({
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name: "b", namespace: under.namespace },
        target: { apiVersion: "v1", kind: "Node", name: node },
      });
      await api.createSubresource(pods, key("b"), "binding", binding("n1"));
      await expect(api.createSubresource(pods, key("b"), "binding", binding("n2"))).rejects.toMatchObject({
        code: 409,
      });
      const bound = await api.get(pods, key("b"));
      expect(bound.spec?.nodeName).toBe("n1");
      expect(bound.status?.conditions?.find((condition) => condition.type === "PodScheduled")?.status).toBe("True");
      const onNode = await api.list(pods, { namespace: under.namespace, fieldSelector: "spec.nodeName=n1" });
      expect(onNode.items).toHaveLength(1);
    });

    test("invariant 33: a write with a fence fails unless the lease has this holder and transition count", async () => {
      await api.create(leases, {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: "leader", namespace: under.namespace },
        spec: { holderIdentity: "me", leaseTransitions: 2 },
      });
      const fence = { namespace: under.namespace, name: "leader", holder: "me", transitions: 2 };
      await api.create(configMaps, make("fenced"), { fence });
      for (const stale of [
        { ...fence, holder: "other" },
        { ...fence, transitions: 1 },
        { ...fence, name: "gone" },
      ])
        await expect(
          api.patch(configMaps, key("fenced"), { type: "merge", body: { data: { a: "2" } } }, { fence: stale }),
        ).rejects.toMatchObject({ code: 409 });
      expect((await api.get(configMaps, key("fenced"))).data).toEqual({ a: "1" });
      await api.create(pods, podOf("bound", under.namespace));
      const stale = { fence: { ...fence, transitions: 1 } };
      const binding = { metadata: key("bound"), target: { kind: "Node", name: "n1" } };
      await expect(api.createSubresource(pods, key("bound"), "binding", binding, stale)).rejects.toMatchObject({
        code: 409,
      });
      await api.createSubresource(pods, key("bound"), "binding", binding, { fence });
    });
  });
}

function podOf(name: string, namespace: string): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace },
    spec: { containers: [{ name: "c", image: "busybox" }] },
  };
}

async function collect<T>(events: AsyncIterable<readonly WatchEvent<T>[]>, count: number): Promise<WatchEvent<T>[]> {
  const seen: WatchEvent<T>[] = [];
  for await (const batch of events) {
    seen.push(...batch);
    if (seen.length >= count) return seen;
  }
  return seen;
}
