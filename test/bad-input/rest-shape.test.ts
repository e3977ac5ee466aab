import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { configMaps } from "../../lib/gen/k8s/resources.ts";
import { type ApiFixture, type HttpAnswer, type SendOptions, startApi } from "../api/api-fixture.ts";
import { expectRefused } from "./expect-refused.ts";
import { Http2Sender, sendChunked } from "./send-other-ways.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";
const MIB = 1024 * 1024;

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
  await api.client.create(configMaps, { metadata: { name: "here", namespace: "default" } });
});

afterAll(async () => {
  await api.stop();
});

/** Every way to send a body, with the same content. */
async function sentEverywhere(body: string | Uint8Array, headers: Record<string, string> = {}): Promise<HttpAnswer[]> {
  const options: SendOptions = { body, headers };
  const patch = (type: string): SendOptions => ({
    body,
    headers: { ...headers, "content-type": `application/${type}` },
  });
  return await Promise.all([
    api.send("POST", MAPS, options),
    api.send("PUT", `${MAPS}/here`, options),
    api.send("POST", "/api/v1/namespaces/default/pods/none/binding", options),
    api.send("POST", "/apis/authentication.k8s.io/v1/tokenreviews", options),
    api.send("DELETE", `${MAPS}/here`, options),
    api.send("PATCH", `${MAPS}/here`, patch("merge-patch+json")),
    api.send("PATCH", `${MAPS}/here`, patch("json-patch+json")),
    api.send("PATCH", `${MAPS}/here`, patch("strategic-merge-patch+json")),
    api.send("PATCH", `${MAPS}/here?fieldManager=me`, patch("apply-patch+yaml")),
  ]);
}

describe("REST shape", () => {
  let revision: number;
  beforeEach(async () => {
    revision = (await api.store.status()).revision;
  });
  afterEach(async () => {
    expect((await api.store.status()).revision, "what is refused writes nothing").toBe(revision);
  });

  test.each(["{", '{"metadata":}', "{'a':1}", '{"data":{"a":"1",}}', "nul", '{"a":"\n"}', "\u0000"])(
    "bad JSON -> 400: %j",
    async (body) => {
      for (const answer of await sentEverywhere(body)) expectRefused(answer, 400);
    },
  );

  test("bad JSON -> 400: an empty body, one that is no object", async () => {
    for (const body of ["", " ", "null", "1", '"text"', "true"]) {
      expectRefused(await api.send("POST", MAPS, { body }), 400);
      expectRefused(await api.send("PUT", `${MAPS}/here`, { body }), 400);
      const headers = { "content-type": "application/merge-patch+json" };
      expectRefused(await api.send("PATCH", `${MAPS}/here`, { body, headers }), 400);
    }
    expectRefused(await api.send("POST", MAPS, { body: "[]" }), 400);
  });

  test("trailing data -> 400", async () => {
    for (const body of ['{"metadata":{"name":"here"}} {}', '{"metadata":{"name":"here"}}]', "[]x"]) {
      for (const answer of await sentEverywhere(body)) expectRefused(answer, 400);
    }
  });

  test("NaN/1e400 -> 400", async () => {
    const pod = (grace: string): string =>
      `{"metadata":{"name":"x"},"spec":{"terminationGracePeriodSeconds":${grace},"containers":[{"name":"a","image":"b"}]}}`;
    for (const number of ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "0x10", "1.5", "99999999999999999999"]) {
      expectRefused(await api.send("POST", PODS, { body: pod(number) }), 400);
    }
    const event = '{"metadata":{"name":"x"},"involvedObject":{},"count":2147483648}';
    expectRefused(await api.send("POST", "/api/v1/namespaces/default/events", { body: event }), 400);
    const headers = { "content-type": "application/json-patch+json" };
    const patch = '[{"op":"add","path":"/data","value":{"a":1e400}}]';
    expectRefused(await api.send("PATCH", `${MAPS}/here`, { body: patch, headers }), 400);
  });

  test("lone surrogate -> 400", async () => {
    for (const text of ["\\ud800", "\\udc00x", "\\ud800\\ud800", "a\\uDBFF"]) {
      const value = `{"metadata":{"name":"here"},"data":{"a":"${text}"}}`;
      const key = `{"metadata":{"name":"here"},"data":{"${text}":"a"}}`;
      for (const body of [value, key]) {
        for (const answer of await sentEverywhere(body)) expectRefused(answer, 400);
      }
    }
  });

  test("invalid UTF-8 -> 400", async () => {
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
      const body = Buffer.concat([
        Buffer.from('{"metadata":{"name":"here"},"data":{"a":"'),
        Buffer.from(bytes),
        Buffer.from('"}}'),
      ]);
      for (const answer of await sentEverywhere(body)) expectRefused(answer, 400);
      const yaml = Buffer.concat([
        Buffer.from("metadata: {name: x}\ndata: {a: "),
        Buffer.from(bytes),
        Buffer.from("}\n"),
      ]);
      expectRefused(await api.send("POST", MAPS, { body: yaml, headers: { "content-type": "application/yaml" } }), 400);
    }
  });

  test("depth > 100 (CR schemas 10 k nodes) -> 400", async () => {
    const deep = (depth: number, open: string, close: string): string =>
      `{"metadata":{"name":"here"},"unknown":${open.repeat(depth)}1${close.repeat(depth)}}`;
    for (const depth of [101, 100_000]) {
      for (const body of [deep(depth, "[", "]"), deep(depth, '{"a":', "}")]) {
        for (const answer of await sentEverywhere(body)) expectRefused(answer, 400);
      }
    }
    const yaml = { body: `a: ${"[".repeat(5000)}${"]".repeat(5000)}`, headers: { "content-type": "application/yaml" } };
    expectRefused(await api.send("POST", MAPS, yaml), 400);
  });

  test("body > 3 MiB -> 413", async () => {
    const body = JSON.stringify({ metadata: { name: "x" }, data: { a: "x".repeat(3 * MIB) } });
    for (const answer of await sentEverywhere(body)) expectRefused(answer, 413);
    // Nothing declared: the limit is found while reading.
    expectRefused(await sendChunked(api, "POST", MAPS, body), 413);
    expectRefused(await sendChunked(api, "PATCH", `${MAPS}/here`, body, "application/merge-patch+json"), 413);
    const http2 = new Http2Sender(api);
    expectRefused(await http2.send("POST", MAPS, { body }), 413);
    expectRefused(await http2.send("POST", MAPS, { body: "{" }), 400);
    http2.close();
    const declared = { "content-length": String(2 ** 40), expect: "100-continue" };
    expectRefused(await api.send("POST", MAPS, { body: "{", headers: declared }), 413);
  });

  test("unknown Content-Type 415", async () => {
    const body = '{"metadata":{"name":"x"}}';
    const types = [
      "text/plain",
      "application/x",
      "json",
      "application/json-patch+json",
      "application/json/x",
      "__proto__",
    ];
    for (const type of types) {
      const options = { body, headers: { "content-type": type } };
      for (const [method, path] of [
        ["POST", MAPS],
        ["PUT", `${MAPS}/here`],
        ["DELETE", `${MAPS}/here`],
      ] as const) {
        expectRefused(await api.send(method, path, options), 415);
      }
      if (type.includes("patch")) continue;
      expectRefused(await api.send("PATCH", `${MAPS}/here`, options), 415);
    }
  });

  test("Accept 406", async () => {
    for (const accept of [
      "text/html",
      "application/xml",
      "application/json;as=Cake;g=meta.k8s.io;v=v1",
      "x",
      "*/json",
    ]) {
      const headers = { accept };
      for (const path of [MAPS, `${MAPS}/here`, `${MAPS}?watch=true`]) {
        expectRefused(await api.send("GET", path, { headers }), 406);
      }
      expectRefused(await api.send("POST", MAPS, { headers, body: '{"metadata":{"name":"x"}}' }), 406);
      expectRefused(await api.send("DELETE", `${MAPS}/here`, { headers }), 406);
    }
    expectRefused(await api.send("GET", MAPS, { headers: { accept: "application/json;q=0" } }), 406);
    const either = "application/json;as=Table;v=v9;g=meta.k8s.io, application/json";
    expect((await api.send("GET", MAPS, { headers: { accept: either } })).status).toBe(200);
  });

  test("wrong verb 405", async () => {
    const refused = [
      ["PUT", MAPS],
      ["PATCH", MAPS],
      ["POST", `${MAPS}/here`],
      ["POST", "/api/v1/configmaps"],
      ["OPTIONS", MAPS],
      ["TRACE", MAPS],
      ["PROPFIND", MAPS],
      ["DELETE", "/api/v1/namespaces"],
      ["DELETE", "/api/v1/configmaps"],
      ["DELETE", "/api/v1/namespaces/default/pods/x/status"],
      ["POST", "/api/v1/namespaces/default/pods/x/log"],
      ["GET", "/api/v1/namespaces/default/pods/x/binding"],
      ["GET", "/apis/authentication.k8s.io/v1/tokenreviews"],
    ] as const;
    for (const [method, path] of refused) {
      const answer = await api.send(method, path, { body: '{"metadata":{"name":"x"}}' });
      expectRefused(answer, 405);
    }
  });
});
