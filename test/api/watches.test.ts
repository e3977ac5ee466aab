import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { configMaps, pods, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { Codec } from "../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { type ApiFixture, startApi } from "./api-fixture.ts";
import { watchLines } from "./watch-lines.ts";

let api: ApiFixture;

afterEach(async () => {
  await api.stop();
});

const MAPS = "/api/v1/namespaces/default/configmaps";

async function makeMaps(from: number, count: number, sizeBytes = 10): Promise<void> {
  for (let index = from; index < from + count; index++) {
    await api.client.create(configMaps, {
      metadata: { name: `m-${index}`, namespace: "default" },
      data: { value: "x".repeat(sizeBytes) },
    });
  }
}

async function openWatches(): Promise<number> {
  const { text } = await api.send("GET", "/metrics");
  return Number(
    /apiserver_longrunning_requests\{verb="WATCH",resource="configmaps"\} (\d+)/.exec(text)?.[1] ?? Number.NaN,
  );
}

describe("watches", () => {
  test("a stuck watcher is cut off when its events are gone, others see everything", async () => {
    api = await startApi({ ring: { events: 100, sizeBytes: 64 * 1024 * 1024 } });
    const { admin, port, serverCaPem: ca } = api;
    const stuck = connectTls({ host: "127.0.0.1", port, ca, cert: admin.certPem, key: admin.keyPem });
    await new Promise<void>((resolve) => stuck.once("secureConnect", () => resolve()));
    stuck.write(`GET ${MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n`);
    stuck.pause();
    await expect.poll(openWatches).toBe(1);
    const healthy = watchLines(api, `${MAPS}?watch=1`, 400, 60_000);
    await expect.poll(openWatches).toBe(2);
    const before = process.memoryUsage().rss;
    await makeMaps(0, 400, 200_000);
    const names = (await healthy).map((event) => event.object.metadata.name);
    expect(new Set(names).size).toBe(400);
    // 400 events of 200 kB: the stuck one may hold what its socket holds, no more.
    expect(process.memoryUsage().rss - before).toBeLessThan(600 * 2 ** 20);
    let text = "";
    stuck.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString("latin1")).slice(-4_000);
    });
    stuck.resume();
    await expect.poll(() => text, { timeout: 20_000 }).toContain('"type":"ERROR"');
    expect(text).toContain('"reason":"Expired"');
    stuck.destroy();
  });

  test("invariant 15: a watch that nobody reads any more is gone within a second", async () => {
    api = await startApi();
    const { admin, port, serverCaPem: ca } = api;
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca, cert: admin.certPem, key: admin.keyPem });
    const streams = Array.from({ length: 50 }, () => session.request({ ":path": `${MAPS}?watch=1` }));
    for (const stream of streams) stream.on("error", () => {});
    await expect.poll(openWatches).toBe(50);
    for (const stream of streams.slice(0, 25)) stream.close();
    await expect.poll(openWatches, { timeout: 1_000 }).toBe(25);
    session.destroy();
    await expect.poll(openWatches, { timeout: 1_000 }).toBe(0);
  });

  test("bookmarks come only when asked for, and timeoutSeconds ends a watch", async () => {
    api = await startApi();
    await makeMaps(0, 2);
    const plain = await api.send("GET", `${MAPS}?watch=1&timeoutSeconds=1`);
    const types = plain.text
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types).toEqual(["ADDED", "ADDED"]);
    const streaming = await api.send(
      "GET",
      `${MAPS}?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    );
    expect(streaming.text.match(/"type":"BOOKMARK"/g)).toHaveLength(1);
  });

  test("a single object is watched by its name, and the old path works", async () => {
    api = await startApi();
    await makeMaps(0, 3);
    const byField = await watchLines(api, `${MAPS}?watch=1&fieldSelector=metadata.name%3Dm-1`, 1);
    expect(byField.map((event) => event.object.metadata.name)).toEqual(["m-1"]);
    const byPath = await watchLines(api, `${MAPS}/m-2?watch=1`, 1);
    expect(byPath.map((event) => event.object.metadata.name)).toEqual(["m-2"]);
    const old = await watchLines(api, "/api/v1/watch/namespaces/default/configmaps", 3);
    expect(old).toHaveLength(3);
  });

  test("a node's watch sees its own pods only, from the binding on", async () => {
    api = await startApi();
    await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
    const watching = watchLines(api, "/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1", 2);
    for (const name of ["a", "b", "c"]) {
      const pod: Pod = { metadata: { name, namespace: "default" }, spec: { containers: [{ name: "c", image: "i" }] } };
      await api.client.create(pods, pod);
      const target = { kind: "Node", name: name === "b" ? "n1" : "n2" };
      await api.client.createSubresource(pods, { namespace: "default", name }, "binding", {
        metadata: { name },
        target,
      });
    }
    await api.client.delete(pods, { namespace: "default", name: "b" }, { gracePeriodSeconds: 0 });
    const events = await watching;
    expect(events.map((event) => [event.type, event.object.metadata.name])).toEqual([
      ["ADDED", "b"],
      ["DELETED", "b"],
    ]);
  });

  test("protobuf frames have a length, and hold a WatchEvent around an object in its envelope", async () => {
    api = await startApi();
    await makeMaps(0, 2);
    const answer = await api.send("GET", `${MAPS}?watch=1&timeoutSeconds=1`, {
      headers: { accept: "application/vnd.kubernetes.protobuf;stream=watch, application/json" },
    });
    expect(answer.headers["content-type"]).toBe("application/vnd.kubernetes.protobuf;stream=watch");
    const registry = loadRegistry(kindDescriptors);
    const codec = new Codec();
    const names: unknown[] = [];
    for (let at = 0; at < answer.bytes.length; ) {
      const length = answer.bytes.readUInt32BE(at);
      const message = answer.bytes.subarray(at + 4, at + 4 + length);
      at += 4 + length;
      // The object is raw bytes in field 2, field 1; its own envelope begins with the magic bytes.
      const magic = message.indexOf("k8s\0");
      const { apiVersion, kind, raw } = codec.decodeEnvelope(message.subarray(magic));
      const { object } = codec.decodeProtobuf(registry.schemaOfKind("", "v1", "ConfigMap")!, raw, { apiVersion, kind });
      names.push((object["metadata"] as { name: string }).name);
      expect(message.subarray(2, 7).toString()).toBe("ADDED");
    }
    expect(names).toEqual(["m-0", "m-1"]);
  });
});

describe("invariant 26: overload", () => {
  test("what is too much is answered with 429 and Retry-After, and health goes on", async () => {
    api = await startApi({ limits: { maxReadsInFlight: 2, maxWritesInFlight: 1 } });
    const future = "/api/v1/configmaps?resourceVersion=99999999";
    const answers = await Promise.all(Array.from({ length: 10 }, () => api.send("GET", future)));
    const rejected = answers.filter((answer) => answer.status === 429);
    expect(rejected).toHaveLength(8);
    for (const answer of rejected) {
      expect(answer.headers["retry-after"]).toBe("1");
      expect(answer.json()).toMatchObject({ reason: "TooManyRequests", details: { retryAfterSeconds: 1 } });
    }
    const busy = api.send("GET", future);
    const alsoBusy = api.send("GET", future);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await api.send("GET", "/readyz")).status).toBe(200);
    expect((await api.send("GET", "/livez")).status).toBe(200);
    await Promise.all([busy, alsoBusy]);
  });

  test("a request that takes too long is answered with 504, whatever it still does", async () => {
    api = await startApi({ limits: { maxReadsInFlight: 100, maxWritesInFlight: 100, requestTimeoutMs: 300 } });
    const answer = await api.send("GET", "/api/v1/configmaps?resourceVersion=99999999");
    expect(answer.status).toBe(504);
    expect(answer.json()).toMatchObject({ reason: "Timeout", message: "the request did not complete in time" });
    expect((await api.send("GET", MAPS)).status).toBe(200);
  });
});
