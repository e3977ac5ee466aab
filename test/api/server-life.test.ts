import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { configMaps, coreEvents, events, nodes, pods, secrets, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { Authority, generateSigningKey } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { ApiServer } from "../../services/api-server/api-server.ts";
import { openStore } from "../../services/store/open-store.ts";
import { type ApiFixture, startApi } from "./api-fixture.ts";
import { watchLines } from "./watch-lines.ts";

const cleanUps: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function started(options: Parameters<typeof startApi>[0] = {}): Promise<ApiFixture> {
  const api = await startApi(options);
  cleanUps.push(() => api.stop());
  return api;
}

describe("invariant 27: readiness and the end", () => {
  test("ready says what it rests on, check by check", async () => {
    const api = await started();
    const verbose = (await api.send("GET", "/readyz?verbose")).text;
    expect(verbose.split("\n")).toEqual([
      "[+]ping ok",
      "[+]etcd ok",
      "[+]informer-sync ok",
      "[+]poststarthook/bootstrap ok",
      "[+]shutdown ok",
      "readyz check passed",
      "",
    ]);
    expect((await api.send("GET", "/livez/ping")).text).toBe("ok");
    expect((await api.send("GET", "/livez/nothing")).status).toBe(404);
  });

  test("when the server stops, watches end as if their time were over", async () => {
    const api = await startApi();
    const watching = watchLines(api, "/api/v1/namespaces/default/configmaps?watch=1", 1_000, 10_000);
    await expect
      .poll(async () => (await api.send("GET", "/metrics")).text)
      .toContain('apiserver_longrunning_requests{verb="WATCH",resource="configmaps"} 1');
    await api.stop();
    expect(await watching).toEqual([]);
  });
});

describe("invariant 19: two servers on one store", () => {
  test("a session that goes to the other server never sees an older state", async () => {
    const first = await started();
    const serverCa = await Authority.create("server", realClock, realRandom);
    const names = { commonName: "x", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
    const tls = await serverCa.issue({ ...names, usages: ["server"], validityDays: 1 });
    const second = new ApiServer(
      {
        store: first.store,
        registry: loadRegistry(kindDescriptors),
        clock: realClock,
        random: realRandom,
        log: silentLog,
      },
      {
        listen: { host: "127.0.0.1", port: 0 },
        tls,
        clientCaPem: serverCa.certPem,
        serviceAccount: { ...(await generateSigningKey()), issuer: "https://x" },
      },
    );
    await second.start();
    cleanUps.push(() => second.stop());
    const other = second.clientFor({ user: "admin", groups: ["system:masters"] });
    let last = 0;
    for (let index = 0; index < 50; index++) {
      const [writer, reader] = index % 2 === 0 ? [first.client, other] : [other, first.client];
      const made = await writer.create(configMaps, { metadata: { name: `s-${index}`, namespace: "default" } });
      const { items, resourceVersion } = await reader.list(configMaps, { namespace: "default" });
      expect(items.some((item) => item.metadata?.uid === made.metadata?.uid)).toBe(true);
      expect(Number(resourceVersion)).toBeGreaterThanOrEqual(Math.max(last, Number(made.metadata?.resourceVersion)));
      last = Number(resourceVersion);
      const updated = await reader.update(configMaps, { ...made, data: { seen: "yes" } });
      await expect(writer.update(configMaps, { ...made, data: { seen: "no" } })).rejects.toMatchObject({ code: 409 });
      expect((await writer.get(configMaps, { namespace: "default", name: `s-${index}` })).data).toEqual(updated.data);
    }
  });
});

describe("a restart", () => {
  test("keeps everything, and invariant 24: what is stored is valid and reads back", async () => {
    const log = silentLog;
    const onFatal = (reason: string): void => {
      throw new Error(reason);
    };
    const { mkdtempSync, rmSync } = await import("node:fs");
    const dataDir = mkdtempSync("/tmp/keelson-api-data-");
    cleanUps.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const before = await startApi({ dataDir });
    await before.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
    const pod = await before.client.create(pods, {
      metadata: { name: "kept", namespace: "default", labels: { tier: "front" } },
      spec: { containers: [{ name: "c", image: "i" }] },
    });
    const { resourceVersion } = await before.client.list(pods);
    await before.stop();
    const store = await openStore({ dataDir, clock: realClock, random: realRandom, log, onFatal });
    const { kvs } = await store.range({ key: Buffer.from("/registry/pods/default/kept") });
    expect(Buffer.from(kvs[0]!.value.subarray(0, 4)).toString("latin1")).toBe("k8s\0");
    await store.close();
    const after = await started({ dataDir });
    expect(await after.client.get(pods, { namespace: "default", name: "kept" })).toEqual(pod);
    const from = `/api/v1/pods?watch=1&timeoutSeconds=1&resourceVersion=${resourceVersion}`;
    expect((await after.send("GET", from)).status).toBe(200);
  });

  test("an object that cannot be read hides no other, and stays where it is", async () => {
    const api = await started();
    await api.client.create(configMaps, { metadata: { name: "good", namespace: "default" } });
    const key = Buffer.from("/registry/configmaps/default/broken");
    await api.store.txn({ compare: [], success: [{ type: "put", key, value: Buffer.from("k8s\0nonsense") }] });
    const list = await api.client.list(configMaps, { namespace: "default" });
    expect(list.items.map((item) => item.metadata?.name)).toEqual(["good"]);
    expect((await api.store.range({ key })).kvs).toHaveLength(1);
    expect((await api.send("GET", "/readyz")).status).toBe(200);
  });
});

describe("invariant 24: fields of a newer version", () => {
  test("are never dropped: the object is read and deleted, and no write goes over it", async () => {
    const api = await started();
    await api.client.create(configMaps, { metadata: { name: "newer", namespace: "default" }, data: { a: "b" } });
    const key = Buffer.from("/registry/configmaps/default/newer");
    const stored = (await api.store.range({ key })).kvs[0]!.value;
    // Field 99 with one byte, inside the message: two lengths grow by four.
    const grown = Buffer.concat([
      stored.subarray(0, stored.length - 4),
      Buffer.of(0x9a, 0x06, 1, 120),
      stored.subarray(-4),
    ]);
    const lengthAt = grown.indexOf(0x12, 4 + 2 + grown[5]!) + 1;
    grown[lengthAt] = grown[lengthAt]! + 4;
    await api.store.txn({ compare: [], success: [{ type: "put", key, value: grown }] });
    const target = "/api/v1/namespaces/default/configmaps/newer";
    const read = await api.send("GET", target);
    expect(read.json()).toMatchObject({ data: { a: "b" } });
    const patch = { headers: { "content-type": "application/merge-patch+json" }, body: '{"data":{"c":"d"}}' };
    const refused = await api.send("PATCH", target, patch);
    expect(refused.status).toBe(403);
    expect(refused.json()["message"]).toContain("fields that this version of the server does not know");
    expect((await api.store.range({ key })).kvs[0]!.value).toEqual(new Uint8Array(grown));
    expect((await api.send("DELETE", target)).status).toBe(200);
  });
});

describe("events", () => {
  test("core/v1 and events.k8s.io/v1 are the same objects, and live an hour", async () => {
    const api = await started();
    const regarding = { kind: "Pod", name: "p", namespace: "default" };
    await api.client.create(events, {
      metadata: { name: "e", namespace: "default" },
      regarding,
      reason: "Tested",
      note: "a note",
      type: "Normal",
      action: "Test",
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "example.com/test",
      reportingInstance: "t-1",
    });
    const core = await api.client.get(coreEvents, { namespace: "default", name: "e" });
    expect(core).toMatchObject({
      apiVersion: "v1",
      kind: "Event",
      involvedObject: regarding,
      message: "a note",
      reportingComponent: "example.com/test",
    });
    const selected = await api.client.list(events, { fieldSelector: "regarding.name=p,reason=Tested" });
    expect(selected.items[0]).toMatchObject({ apiVersion: "events.k8s.io/v1", note: "a note" });
    const { kvs } = await api.store.range({ key: Buffer.from("/registry/events/default/e") });
    expect(kvs[0]?.lease).not.toBe(0n);
  });
});

describe("invariant 53: what is secret stays out of errors and metrics", () => {
  test("no error and no metric repeats a value", async () => {
    const api = await started();
    const canary = "canary-3f9d";
    const body = JSON.stringify({ metadata: { name: "s" }, type: "kubernetes.io/tls", stringData: { x: canary } });
    const answer = await api.send("POST", "/api/v1/namespaces/default/secrets", { body });
    expect(answer.status).toBe(422);
    expect(answer.text).not.toContain(canary);
    const bad = await api.send("POST", "/api/v1/namespaces/default/secrets", {
      body: `{"metadata":{"name":"s"},"data":{"x":"${canary}!"}}`,
    });
    expect(bad.status).toBe(400);
    expect(bad.text).not.toContain(canary);
    await api.client.create(secrets, { metadata: { name: "t", namespace: "default" }, stringData: { x: canary } });
    const token = await api.send("GET", "/api/v1/namespaces/default/pods", {
      as: "none",
      headers: { authorization: `Bearer ${canary}` },
    });
    expect(token.status).toBe(401);
    expect(token.text).not.toContain(canary);
    expect((await api.send("GET", "/metrics")).text).not.toContain(canary);
  });
});

describe("log", () => {
  test("comes from the kubelet of the pod's node, over verified TLS, and follows", async () => {
    const kubeletCa = await Authority.create("kubelet", realClock, realRandom);
    const clientCa = await Authority.create("kubelet-client", realClock, realRandom);
    const serving = await kubeletCa.issue({
      commonName: "system:node:n1",
      ipAddresses: ["127.0.0.1"],
      usages: ["server"],
      validityDays: 1,
    });
    const client = await clientCa.issue({
      commonName: "kube-apiserver-kubelet-client",
      usages: ["client"],
      validityDays: 1,
    });
    const asked: string[] = [];
    const askers = new Set<string>();
    const kubelet = createServer(
      { cert: serving.certPem, key: serving.keyPem, ca: clientCa.certPem, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        asked.push(request.url ?? "");
        askers.add((request.socket as TLSSocket).getPeerCertificate().serialNumber);
        if (request.url?.includes("/failing")) {
          response.writeHead(400).end("container failing is waiting to start");
          return;
        }
        response.writeHead(200);
        response.write("one\n");
        setTimeout(() => response.end("two\n"), 300);
      },
    );
    await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", () => resolve()));
    cleanUps.push(() => new Promise<void>((resolve) => kubelet.close(() => resolve())));
    const api = await started({ kubelet: { ...client, caPem: kubeletCa.certPem } });
    await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
    const { port } = kubelet.address() as AddressInfo;
    await api.client.create(nodes, {
      metadata: { name: "n1" },
      status: {
        addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
        daemonEndpoints: { kubeletEndpoint: { Port: port } },
      },
    });
    const containers = [
      { name: "main", image: "i" },
      { name: "failing", image: "i" },
    ];
    await api.client.create(pods, { metadata: { name: "p", namespace: "default" }, spec: { containers } });
    const log = (query: string) => api.send("GET", `/api/v1/namespaces/default/pods/p/log?${query}`);
    expect((await log("container=main")).text).toBe("");
    const key = { namespace: "default", name: "p" };
    await api.client.createSubresource(pods, key, "binding", {
      metadata: { name: "p" },
      target: { kind: "Node", name: "n1" },
    });
    expect((await log("container=main&follow=true&tailLines=5")).text).toBe("one\ntwo\n");
    expect(asked).toEqual(["/containerLogs/default/p/main?follow=true&tailLines=5"]);
    expect((await log("container=failing")).json()).toMatchObject({
      code: 400,
      message: "container failing is waiting to start",
    });
    expect((await log("")).json()["message"]).toBe(
      "a container name must be specified for pod p, choose one of: [main failing]",
    );
    expect((await log("container=none")).json()["message"]).toBe("container none is not valid for pod p");
    expect((await log("container=main&tailLines=-1")).status).toBe(422);
    expect(await api.kubectl.ok(["logs", "p", "-c", "main"])).toBe("one\ntwo\n");
    expect(askers.size).toBe(1);
    const renewed = { commonName: "kube-apiserver-kubelet-client", usages: ["client" as const], validityDays: 1 };
    api.api.renewKubeletClient(await clientCa.issue(renewed));
    expect((await log("container=main")).text).toBe("one\ntwo\n");
    expect(askers.size).toBe(2);
  });

  test("a kubelet with a certificate of another authority is not believed", async () => {
    const wrongCa = await Authority.create("wrong", realClock, realRandom);
    const pair = { commonName: "n", ipAddresses: ["127.0.0.1"], validityDays: 1 };
    const serving = await wrongCa.issue({ ...pair, usages: ["server"] });
    const kubeletCa = await Authority.create("kubelet", realClock, realRandom);
    const client = await kubeletCa.issue({ ...pair, usages: ["client"] });
    let isAsked = false;
    const kubelet = createServer({ cert: serving.certPem, key: serving.keyPem }, (_request, response) => {
      isAsked = true;
      response.end("forged\n");
    });
    await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", () => resolve()));
    cleanUps.push(() => new Promise<void>((resolve) => kubelet.close(() => resolve())));
    const api = await started({ kubelet: { ...client, caPem: kubeletCa.certPem } });
    await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
    const { port } = kubelet.address() as AddressInfo;
    const addresses = [{ type: "InternalIP", address: "127.0.0.1" }];
    await api.client.create(nodes, {
      metadata: { name: "n1" },
      status: { addresses, daemonEndpoints: { kubeletEndpoint: { Port: port } } },
    });
    await api.client.create(pods, {
      metadata: { name: "p", namespace: "default" },
      spec: { nodeName: "n1", containers: [{ name: "c", image: "i" }] },
    });
    const answer = await api.send("GET", "/api/v1/namespaces/default/pods/p/log");
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain("forged");
    expect(isAsked).toBe(false);
  });
});
