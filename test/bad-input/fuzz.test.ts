import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMaps } from "../../lib/gen/k8s/resources.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { checkedSend, checkReady, FUZZ_SEED } from "./fuzz-checks.ts";
import { Http2Sender, openSocket } from "./send-other-ways.ts";

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
  await api.client.create(configMaps, { metadata: { name: "here", namespace: "default" }, data: { a: "b" } });
});

afterAll(async () => {
  await api.stop();
});

const RUNS = { numRuns: 150, seed: FUZZ_SEED };

const segment = fc.oneof(
  fc.constantFrom(
    "api",
    "apis",
    "v1",
    "namespaces",
    "default",
    "pods",
    "configmaps",
    "here",
    "status",
    "log",
    "binding",
  ),
  fc.constantFrom("nodes", "events", "secrets", "watch", "finalize", "apps", "deployments", "scale", "leases", "token"),
  fc.constantFrom("", ".", "..", "%2e%2e", "%2F", "%00", "%ff", "%", "__proto__", "constructor", "*", "a".repeat(300)),
  fc.string({ maxLength: 8 }).map(encodeURIComponent),
);
const path = fc.array(segment, { minLength: 1, maxLength: 8 }).map((segments) => `/${segments.join("/")}`);

const optionName = fc.constantFrom(
  "labelSelector",
  "fieldSelector",
  "resourceVersion",
  "resourceVersionMatch",
  "limit",
  "continue",
  "dryRun",
  "fieldValidation",
  "fieldManager",
  "force",
  "gracePeriodSeconds",
  "propagationPolicy",
  "orphanDependents",
  "sendInitialEvents",
  "allowWatchBookmarks",
  "pretty",
  "includeObject",
  "tailLines",
  "container",
  "__proto__",
);
const optionValue = fc.oneof(
  fc.constantFrom("", "0", "1", "-1", "true", "false", "All", "Exact", "NotOlderThan", "Strict", "Foreground", "a=b"),
  fc.constantFrom(
    "a in (b,c)",
    "!a",
    "metadata.name=x",
    "status.phase!=x",
    "((((",
    "=,=,=",
    "1e9",
    "9".repeat(30),
    "NaN",
  ),
  fc.string({ maxLength: 12, unit: "binary" }),
);
// Watches end after a second; what is asked of the future waits three.
const query = fc.array(fc.tuple(optionName, optionValue), { maxLength: 4 }).map(
  (options) =>
    new URLSearchParams({
      timeoutSeconds: "1",
      ...Object.fromEntries(options.map(([name, value]) => [name, value.toWellFormed()])),
    }),
);

const headerValue = fc.oneof(
  fc.constantFrom(
    "*/*",
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "text/html",
    ";;;",
  ),
  fc.constantFrom(
    "application/json;as=Table;g=meta.k8s.io;v=v1",
    "application/json;as=PartialObjectMetadata",
    "a/b;q=x",
  ),
  fc.constantFrom("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"),
  fc.string({ maxLength: 20, unit: "grapheme-ascii" }).map((text) => text.trim()),
);
const headerName = fc.constantFrom(
  "accept",
  "content-type",
  "accept-encoding",
  "if-none-match",
  "range",
  "x-remote-user",
);
const headers = fc.dictionary(headerName, headerValue, { maxKeys: 3, noNullPrototype: true });

const KINDS = ["configmaps", "pods", "secrets", "services", "events", "serviceaccounts"] as const;
const json = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc
    .object({
      key: fc.constantFrom(
        "metadata",
        "name",
        "namespace",
        "labels",
        "spec",
        "data",
        "containers",
        "ports",
        "kind",
        "__proto__",
      ),
      withBigInt: false,
    })
    .map((value) => JSON.stringify(value)),
);
const body = fc.oneof(
  { weight: 3, arbitrary: json.map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.concat([Buffer.from("k8s\0"), bytes])),
  },
);

describe("whatever comes over REST is answered, refused with a Status, and changes nothing", () => {
  test("paths, queries and headers", async () => {
    const method = fc.constantFrom("GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND");
    await fc.assert(
      fc.asyncProperty(method, path, query, headers, async (verb, target, options, sent) => {
        const full = `${target}?${options}`;
        const withBody = verb === "GET" || verb === "HEAD" ? {} : { body: "{}" };
        if (verb === "HEAD") {
          expect((await api.send(verb, full, { headers: sent })).status).toBeLessThan(500);
          return;
        }
        await checkedSend(
          api,
          () => api.send(verb, full, { headers: sent, ...withBody }),
          `${verb} ${full} ${JSON.stringify(sent)}`,
        );
      }),
      RUNS,
    );
    await checkReady(api);
  });

  test("bodies, for every way to write", async () => {
    const types = fc.constantFrom("application/json", "application/yaml", "application/vnd.kubernetes.protobuf");
    const patches = fc.constantFrom(
      "json-patch+json",
      "merge-patch+json",
      "strategic-merge-patch+json",
      "apply-patch+yaml",
    );
    const write = fc.oneof(
      fc.record({ verb: fc.constantFrom("POST"), name: fc.constant(""), type: types }),
      fc.record({ verb: fc.constantFrom("PUT", "DELETE"), name: fc.constantFrom("/here", "/absent"), type: types }),
      fc.record({
        verb: fc.constant("PATCH"),
        name: fc.constantFrom("/here", "/absent"),
        type: patches.map((type) => `application/${type}`),
      }),
    );
    await fc.assert(
      fc.asyncProperty(write, fc.constantFrom(...KINDS), body, async ({ verb, name, type }, kind, bytes) => {
        const target = `/api/v1/namespaces/default/${kind}${name}?fieldManager=fuzz`;
        const options = { body: bytes, headers: { "content-type": type } };
        await checkedSend(
          api,
          () => api.send(verb, target, options),
          `${verb} ${target} ${type} ${bytes.toString("base64")}`,
        );
      }),
      { ...RUNS, numRuns: 300 },
    );
    await checkReady(api);
  });

  test("the same over one HTTP/2 connection", async () => {
    const method = fc.constantFrom("GET", "POST", "PATCH", "DELETE");
    const http2 = new Http2Sender(api);
    await fc.assert(
      fc.asyncProperty(method, path, query, body, async (verb, target, options, bytes) => {
        const full = `${target}?${options}`;
        const sent = verb === "GET" ? {} : { body: bytes };
        await checkedSend(api, () => http2.send(verb, full, sent), `${verb} ${full} ${bytes.toString("base64")}`);
      }),
      RUNS,
    );
    http2.close();
    await checkReady(api);
  });

  test("bytes that are no HTTP at all close their connection and nothing else", async () => {
    const start = fc.constantFrom(
      "",
      "GET / HTTP/1.1\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "POST /api HTTP/1.1\r\nHost: x\r\n",
    );
    const noise = fc.uint8Array({ minLength: 20, maxLength: 200 });
    const before = (await api.store.status()).revision;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("http/1.1" as const, "h2" as const),
        start,
        noise,
        async (protocol, head, bytes) => {
          const socket = await openSocket(api, protocol);
          const chunks: Buffer[] = [];
          socket.on("data", (chunk: Buffer) => chunks.push(chunk));
          const closed = new Promise((resolve) => socket.once("close", resolve));
          socket.end(Buffer.concat([Buffer.from(head), bytes]));
          await closed;
          if (protocol === "h2") return;
          expect(Buffer.concat(chunks).toString("latin1")).toMatch(/^$|^HTTP\/1\.1 [4]\d\d /);
        },
      ),
      { ...RUNS, numRuns: 60 },
    );
    expect((await api.store.status()).revision).toBe(before);
    await checkReady(api);
  });
});
