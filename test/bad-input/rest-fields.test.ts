import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { configMaps, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { type ApiFixture, type HttpAnswer, startApi } from "../api/api-fixture.ts";
import { expectRefused } from "./expect-refused.ts";
import { openSocket } from "./send-other-ways.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";
const MERGE = { "content-type": "application/merge-patch+json" };

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
  await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
});

afterAll(async () => {
  await api.stop();
});

const revisionOf = async (): Promise<number> => (await api.store.status()).revision;

/** All keys of the store, as text. */
async function storedKeys(): Promise<string[]> {
  const { kvs } = await api.store.range({ key: Buffer.of(0), rangeEnd: Buffer.of(0) });
  return kvs.map(({ key }) => Buffer.from(key).toString("latin1"));
}

describe("unknown/duplicate field by fieldValidation Strict 400, Warn header, Ignore", () => {
  const UNKNOWN = '{"metadata":{"name":"fields","labls":{}},"dta":{},"data":{"a":"1"}}';
  const DUPLICATE = '{"metadata":{"name":"fields"},"data":{"a":"1","a":"2"},"data":{"a":"3"}}';
  const writes = [
    ["POST", MAPS, {}],
    ["PUT", `${MAPS}/fields`, {}],
    ["PATCH", `${MAPS}/fields`, MERGE],
    ["PATCH", `${MAPS}/fields`, { "content-type": "application/strategic-merge-patch+json" }],
  ] as const;

  beforeEach(async () => {
    await api.client.delete(configMaps, { namespace: "default", name: "fields" }).catch(() => {});
  });

  async function write(index: number, validation: string, body: string): Promise<HttpAnswer> {
    const [method, path, headers] = writes[index]!;
    if (method !== "POST") await api.send("POST", MAPS, { body: '{"metadata":{"name":"fields"}}' });
    return await api.send(method, `${path}?fieldValidation=${validation}`, { body, headers });
  }

  test.each([0, 1, 2, 3])("an unknown field, write %#", async (index) => {
    const refused = await write(index, "Strict", UNKNOWN);
    const { message } = expectRefused(refused, 400);
    expect(message).toContain("strict decoding error");
    expect(message).toContain('unknown field "dta"');
    expect(message).toContain('unknown field "metadata.labls"');
    const warned = await write(index, "Warn", UNKNOWN);
    expect(warned.status).toBeLessThan(300);
    expect(String(warned.headers["warning"])).toContain('299 - "unknown field \\"dta\\""');
    await api.client.delete(configMaps, { namespace: "default", name: "fields" });
    const ignored = await write(index, "Ignore", UNKNOWN);
    expect(ignored.status).toBeLessThan(300);
    expect(ignored.headers["warning"]).toBeUndefined();
    expect(ignored.text).not.toContain("dta");
  });

  test.each([0, 1, 2, 3])("a duplicate field, write %#", async (index) => {
    const refused = await write(index, "Strict", DUPLICATE);
    expectRefused(refused, 400, /duplicate field "data/);
    const warned = await write(index, "Warn", DUPLICATE);
    expect(warned.status).toBeLessThan(300);
    expect(String(warned.headers["warning"])).toContain("duplicate field");
    await api.client.delete(configMaps, { namespace: "default", name: "fields" });
    const ignored = await write(index, "Ignore", DUPLICATE);
    expect(ignored.status).toBeLessThan(300);
    expect(ignored.headers["warning"]).toBeUndefined();
  });

  test("a JSON patch that adds an unknown field; a fieldValidation that does not exist", async () => {
    await api.client.create(configMaps, { metadata: { name: "fields", namespace: "default" } });
    const headers = { "content-type": "application/json-patch+json" };
    const body = '[{"op":"add","path":"/dta","value":{}}]';
    expectRefused(await api.send("PATCH", `${MAPS}/fields?fieldValidation=Strict`, { body, headers }), 400, /"dta"/);
    expectRefused(await api.send("POST", `${MAPS}?fieldValidation=Perhaps`, { body: UNKNOWN }), 422);
  });
});

test("int64 beyond 2^53 kept exact", async () => {
  for (const [name, number] of [
    ["odd", "9007199254740993"],
    ["most", "9223372036854775807"],
  ]) {
    const body = `{"metadata":{"name":"${name}"},"spec":{"activeDeadlineSeconds":${number},"containers":[{"name":"a","image":"b"}]}}`;
    const refused = await api.send("POST", PODS, { body });
    // Upstream bounds the field; its message must show the number as it was sent.
    expect(expectRefused(refused, 422).message).toContain(number);
    const kept = body.replace("activeDeadlineSeconds", "terminationGracePeriodSeconds");
    expect((await api.send("POST", PODS, { body: kept })).text).toContain(`"terminationGracePeriodSeconds":${number},`);
    expect((await api.send("GET", `${PODS}/${name}`)).text).toContain(`"terminationGracePeriodSeconds":${number},`);
    const patched = await api.send("PATCH", `${PODS}/${name}`, {
      body: '{"metadata":{"labels":{"a":"b"}}}',
      headers: MERGE,
    });
    expect(patched.text).toContain(`"terminationGracePeriodSeconds":${number},`);
    const headers = { accept: "application/vnd.kubernetes.protobuf" };
    const { bytes } = await api.send("GET", `${PODS}/${name}`, { headers });
    const sent = { "content-type": "application/vnd.kubernetes.protobuf" };
    const put = await api.send("PUT", `${PODS}/${name}`, { body: bytes, headers: sent });
    expect(put.text).toContain(`"terminationGracePeriodSeconds":${number},`);
  }
});

test("`__proto__`, `constructor` as map keys stored as plain data (null-prototype maps)", async () => {
  const data = '"__proto__":"p","constructor":"c","hasOwnProperty":"h","toString":"t"';
  const created = await api.send("POST", MAPS, { body: `{"metadata":{"name":"maps"},"data":{${data}}}` });
  expect(created.status).toBe(201);
  expect(created.text).toContain(`"data":{${data}}`);
  const patches = [
    [
      "merge-patch+json",
      '{"data":{"__proto__":"q"},"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":1}}}',
    ],
    ["strategic-merge-patch+json", '{"data":{"__proto__":"r"},"__proto__":{"polluted":true}}'],
    ["json-patch+json", '[{"op":"replace","path":"/data/__proto__","value":"s"}]'],
  ] as const;
  for (const [type, body] of patches) {
    const answer = await api.send("PATCH", `${MAPS}/maps`, {
      body,
      headers: { "content-type": `application/${type}` },
    });
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ kind: "ConfigMap" });
  }
  expect((await api.send("GET", `${MAPS}/maps`)).text).toContain(`"data":{${data.replace('"p"', '"s"')}}`);
  const headers = { accept: "application/vnd.kubernetes.protobuf" };
  const inProtobuf = await api.send("GET", `${MAPS}/maps`, { headers });
  expect(inProtobuf.bytes.includes("__proto__")).toBe(true);
  // Names that every object of the language has, where the server looks something up by what it was sent.
  for (const name of ["__proto__", "constructor", "hasOwnProperty"]) {
    const secret = JSON.stringify({ metadata: { generateName: "of-type-" }, type: name });
    expect((await api.send("POST", "/api/v1/namespaces/default/secrets", { body: secret })).status).toBe(201);
  }
  // Label keys have a form that these do not have, and the server has not become another one.
  const labelled = '{"metadata":{"name":"labels","labels":{"__proto__":"x"}}}';
  expectRefused(await api.send("POST", MAPS, { body: labelled }), 422, /metadata\.labels/);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  for (const selector of ["__proto__", "constructor", "constructor=Object", "!toString"]) {
    expect((await api.send("GET", `${MAPS}?labelSelector=${encodeURIComponent(selector)}`)).status).toBeLessThan(401);
  }
  for (const path of ["/api/v1/__proto__", "/api/__proto__/pods", "/apis/constructor/v1/x", `${MAPS}/maps/__proto__`]) {
    expectRefused(await api.send("GET", path), 404);
  }
});

test("null as a value of bytes is empty, as the store reads it back", async () => {
  const body = (name: string, member: string): string => `{"metadata":{"name":"${name}"},"${member}":{"c":null}}`;
  for (const [resource, member] of [
    ["configmaps", "binaryData"],
    ["secrets", "data"],
  ] as const) {
    const target = `/api/v1/namespaces/default/${resource}`;
    expect((await api.send("POST", target, { body: body("nothing", member) })).text).toContain(`"${member}":{"c":""}`);
    expect((await api.send("PUT", `${target}/nothing`, { body: body("nothing", member) })).status).toBe(200);
  }
});

describe("names that would mean something in a key", () => {
  const LONG = "a".repeat(254);
  const paths = (name: string): [string, string][] => [
    ["GET", `${MAPS}/${name}`],
    ["PUT", `${MAPS}/${name}`],
    ["DELETE", `${MAPS}/${name}`],
    ["PATCH", `${MAPS}/${name}`],
    ["GET", `/api/v1/namespaces/${name}/configmaps`],
    ["POST", `/api/v1/namespaces/${name}/configmaps`],
    ["GET", `/api/v1/namespaces/${name}/configmaps/x`],
    ["DELETE", `/api/v1/namespaces/${name}/configmaps/x`],
    ["GET", `/api/v1/namespaces/${name}/status`],
    ["GET", `/api/v1/nodes/${name}`],
    ["PUT", `/api/v1/nodes/${name}/status`],
  ];

  async function refusedInPath(name: string): Promise<void> {
    for (const [method, path] of paths(name)) {
      const body = method === "GET" || method === "DELETE" ? undefined : "{}";
      const headers: Record<string, string> = method === "PATCH" ? MERGE : {};
      const answer = await api.send(method, path, { headers, ...(body === undefined ? {} : { body }) });
      expectRefused(answer, 404);
    }
  }

  async function refusedInBody(name: string): Promise<void> {
    const object = (metadata: object): { body: string } => ({ body: JSON.stringify({ metadata }) });
    expectRefused(await api.send("POST", MAPS, object({ name })), 422, /metadata\.name/);
    expectRefused(await api.send("POST", "/api/v1/namespaces", object({ name })), 422, /metadata\.name/);
    expectRefused(await api.send("POST", "/api/v1/nodes", object({ name })), 422, /metadata\.name/);
    expectRefused(await api.send("POST", MAPS, object({ name: "x", namespace: name })), 400, /namespace/);
    if (name.length < 200) {
      expectRefused(await api.send("POST", MAPS, object({ generateName: name })), 422, /metadata\.name/);
    }
    const token = '{"target":{"kind":"Node","name":"n"}}';
    expectRefused(await api.send("POST", `${PODS}/${encodeURIComponent(name)}/binding`, { body: token }), 404);
    const selector = encodeURIComponent(`metadata.name=${name}`);
    expect((await api.send("GET", `${MAPS}?fieldSelector=${selector}`)).status).toBeLessThanOrEqual(400);
  }

  let keys: string[];
  let revision: number;
  beforeAll(async () => {
    keys = await storedKeys();
    revision = await revisionOf();
  });

  test.each([
    ["name `..`", "..", ".."],
    ["name `.`", ".", "."],
    ["`%2e%2e`", "%2e%2e", "%2e%2e"],
    ["`/`", "a%2fb", "a/b"],
    ["`/` alone", "%2F", "/"],
    ["NUL", "a%00b", "a\0b"],
    ["NUL alone", "%00", "\0"],
    ["254 chars", LONG, LONG],
    ["percent signs", "%25", "%"],
    ["a way up", "..%2f..%2fsecrets%2fdefault%2fx", "../../secrets/default/x"],
  ])("%s -> 422/404 and never reach key building (NCC)", async (_clause, inPath, inBody) => {
    await refusedInPath(inPath);
    await refusedInBody(inBody);
    expect(await storedKeys()).toEqual(keys);
    expect(await revisionOf()).toBe(revision);
  });

  test("a path is not made shorter before it is read, and a broken escape is 400", async () => {
    for (const path of [
      "/api/v1/../v1/nodes",
      "/api/v1/namespaces/default/../../nodes",
      "//api/v1/nodes",
      "/api//v1/nodes",
    ]) {
      expectRefused(await api.send("GET", path), 404);
    }
    for (const path of [`${MAPS}/%`, `${MAPS}/%zz`, `${MAPS}/%c3%28`, "/api/v1/%ff"]) {
      expectRefused(await api.send("GET", path), 400);
    }
    // What no client library sends: a NUL byte and a raw line end within the request line.
    for (const target of [`${MAPS}/a\0b`, `${MAPS}/a\u0001b`]) {
      const socket = await openSocket(api, "http/1.1");
      socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`, "latin1");
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).toString("latin1")).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    }
    expect(await revisionOf()).toBe(revision);
  });
});
