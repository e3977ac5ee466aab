import { inspect } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Log } from "../../lib/core/log.ts";
import { CreateRequest, Encoding, ResourcesDefinition } from "../../lib/gen/keelson/api/v1/resources.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ApiFixture, type SendOptions, startApi } from "../api/api-fixture.ts";

const SECRETS = "/api/v1/namespaces/default/secrets";
const CANARY = "cAnArY-8f3e";
const TOKEN = "eyJhbGciOiJub25lIn0.cAnArYtOkEn.c2ln";
const encoded = Buffer.from(CANARY).toString("base64");
/** The value as it is sent, as it is stored, and pieces of both: error texts like to cut. */
const TRACES = [CANARY, encoded, CANARY.slice(0, 7), encoded.slice(0, 8), TOKEN, "cAnArYtOkEn"];

let api: ApiFixture;
const logged: string[] = [];

const listening: Log = {
  debug: (message, keys) => logged.push(`${message} ${inspect(keys, { depth: 20 })}`),
  info: (message, keys) => logged.push(`${message} ${inspect(keys, { depth: 20 })}`),
  warn: (message, keys) => logged.push(`${message} ${inspect(keys, { depth: 20 })}`),
  error: (message, keys) => logged.push(`${message} ${inspect(keys, { depth: 20 })}`),
  child: () => listening,
};

beforeAll(async () => {
  api = await startApi({ log: listening });
});

afterAll(async () => {
  await api.stop();
});

function tracesIn(text: string): string[] {
  return TRACES.filter((trace) => text.includes(trace));
}

/** A Secret with the canary in it, in JSON text; `more` follows its members. */
function secret(name: string, more = ""): string {
  return `{"metadata":{"name":"${name}"},"stringData":{"password":"${CANARY}"},"data":{"key":"${encoded}"}${more}}`;
}

const refusals: readonly [method: string, target: string, options: SendOptions][] = [
  ["POST", SECRETS, { body: secret("x").slice(0, -1) }],
  ["POST", SECRETS, { body: `${secret("x")} ${CANARY}` }],
  ["POST", SECRETS, { body: `{"metadata":{"name":"x"},"stringData":{"password":"${CANARY}\n"}}` }],
  ["POST", SECRETS, { body: `{"metadata":{"name":"x"},"stringData":{"password":"${CANARY}\\ud800"}}` }],
  ["POST", SECRETS, { body: `{"metadata":{"name":"x"},"stringData":{"password":["${CANARY}"]}}` }],
  ["POST", SECRETS, { body: `{"metadata":{"name":"x"},"stringData":"${CANARY}"}` }],
  ["POST", SECRETS, { body: `{"metadata":{"name":"x"},"data":{"key":"${CANARY}"}}` }],
  ["POST", SECRETS, { body: secret("Not A Name") }],
  ["POST", SECRETS, { body: secret("x", ',"type":"kubernetes.io/tls"') }],
  ["POST", SECRETS, { body: secret("x", ',"type":"kubernetes.io/dockerconfigjson"') }],
  [
    "POST",
    SECRETS,
    { body: `{"metadata":{"name":"x"},"type":"kubernetes.io/dockercfg","stringData":{".dockercfg":"${CANARY}"}}` },
  ],
  ["POST", `${SECRETS}?fieldValidation=Strict`, { body: secret("x", `,"data":{"key":"${encoded}"}`) }],
  ["POST", `${SECRETS}?fieldValidation=Strict`, { body: secret("x", `,"extra":"${CANARY}"`) }],
  ["POST", "/api/v1/namespaces/other/secrets", { body: secret("x") }],
  ["POST", "/api/v1/namespaces/default/configmaps", { body: secret("x", ',"kind":"Secret"') }],
  ["POST", SECRETS, { body: secret("frozen") }],
  ["PUT", `${SECRETS}/frozen`, { body: secret("frozen").replace(encoded, "bmV3") }],
  ["PUT", `${SECRETS}/absent`, { body: secret("absent") }],
  ["POST", SECRETS, { body: `metadata: {name: x}\nstringData:\n\tpassword: ${CANARY}`, headers: yaml() }],
  ["POST", SECRETS, { body: `stringData: {password: "${CANARY}`, headers: yaml() }],
  ["POST", SECRETS, { body: `stringData: *${CANARY}`, headers: yaml() }],
  ["POST", SECRETS, { body: `k8s\0${CANARY}`, headers: { "content-type": "application/vnd.kubernetes.protobuf" } }],
  ["POST", SECRETS, { body: secret("x"), headers: { "content-type": "text/plain" } }],
  ["PATCH", `${SECRETS}/kept`, patch("merge-patch+json", `{"data":{"key":["${CANARY}"]}}`)],
  ["PATCH", `${SECRETS}/kept`, patch("merge-patch+json", `{"data":{"key":"${CANARY}"}}`)],
  ["PATCH", `${SECRETS}/kept`, patch("strategic-merge-patch+json", `{"data":{"key":{"$patch":"${CANARY}"}}}`)],
  ["PATCH", `${SECRETS}/kept`, patch("json-patch+json", `[{"op":"test","path":"/data/key","value":"${CANARY}"}]`)],
  ["PATCH", `${SECRETS}/kept`, patch("json-patch+json", `[{"op":"add","path":"/data/key","value":["${CANARY}"]}]`)],
  ["PATCH", `${SECRETS}/kept`, patch("json-patch+json", `[{"op":"test","path":"/data","value":{"a":"${encoded}"}}]`)],
  ["PATCH", `${SECRETS}/kept`, patch("apply-patch+yaml", `data: {key: "${encoded}"}`)],
  ["PATCH", `${SECRETS}/kept?fieldManager=a`, patch("apply-patch+yaml", applied("other"))],
  ["DELETE", `${SECRETS}/kept`, { body: `{"preconditions":{"uid":"x"},"extra":"${CANARY}"` }],
  ["GET", SECRETS, { as: "none", headers: { authorization: `Bearer ${TOKEN}` } }],
  ["POST", SECRETS, { as: "none", headers: { authorization: `Bearer ${TOKEN}` }, body: secret("x") }],
];

/** An apply that conflicts with what the Secret holds already. */
function applied(value: string): string {
  const data = Buffer.from(CANARY + value).toString("base64");
  return `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"kept"},"data":{"key":"${data}"}}`;
}

function yaml(): Record<string, string> {
  return { "content-type": "application/yaml" };
}

function patch(type: string, body: string): SendOptions {
  return { body, headers: { "content-type": `application/${type}` } };
}

test("invariant 53: no value of a Secret and no token in refusals, warnings, metrics, health or logs", async () => {
  const kept = await api.send("POST", `${SECRETS}?fieldValidation=Warn`, {
    body: secret("kept", `,"extra":"${CANARY}"`),
  });
  expect(kept.status).toBe(201);
  expect(tracesIn(String(kept.headers["warning"]))).toEqual([]);
  expect((await api.send("POST", SECRETS, { body: secret("frozen", ',"immutable":true') })).status).toBe(201);

  for (const [method, target, options] of refusals) {
    const answer = await api.send(method, target, options);
    const what = `${method} ${target} ${String(options.body)}`;
    expect(answer.status, `${what}: ${answer.text}`).toBeGreaterThanOrEqual(400);
    expect(answer.status, what).toBeLessThan(500);
    expect(tracesIn(answer.text + JSON.stringify(answer.headers)), `${what}: ${answer.text}`).toEqual([]);
  }

  // What is shown of secrets without being asked for the objects themselves.
  for (const as of ["Table", "PartialObjectMetadataList"]) {
    const headers = { accept: `application/json;as=${as};g=meta.k8s.io;v=v1` };
    const answer = await api.send("GET", SECRETS, { headers });
    expect(answer.text).toContain("kept");
    expect(tracesIn(answer.text)).toEqual([]);
  }
  for (const target of ["/metrics", "/readyz?verbose", "/openapi/v2", "/apis", "/version"]) {
    const answer = await api.send("GET", target);
    expect(answer.status).toBe(200);
    expect(tracesIn(answer.text)).toEqual([]);
  }
  expect(logged.flatMap((line) => (tracesIn(line).length > 0 ? [line] : []))).toEqual([]);
});

test("invariant 53: the same over gRPC", async () => {
  const { certPem, keyPem } = api.admin;
  const channel = new GrpcChannel({
    target: `127.0.0.1:${api.api.grpcPort}`,
    tls: { caPem: api.serverCaPem, certPem, keyPem },
  });
  const resources = channel.client(ResourcesDefinition);
  const target = { group: "", version: "v1", resource: "secrets", namespace: "default", name: "", subresource: "" };
  for (const [method, path, { body }] of refusals) {
    if (method !== "POST" || path !== SECRETS || typeof body !== "string") continue;
    for (const encoding of [Encoding.ENCODING_JSON, Encoding.ENCODING_YAML, Encoding.ENCODING_PROTOBUF]) {
      const request = CreateRequest.fromPartial({ target, object: { encoding, data: Buffer.from(body) } });
      const error = await resources.create(request).catch((thrown: unknown) => thrown);
      if (!(error instanceof RpcError)) continue;
      expect(error.code, error.message).not.toBe("INTERNAL");
      const details = Buffer.from(error.details ?? new Uint8Array()).toString("latin1");
      expect(tracesIn(error.message + details), error.message).toEqual([]);
    }
  }
  channel.close();
  expect(logged.flatMap((line) => (tracesIn(line).length > 0 ? [line] : []))).toEqual([]);
});

test("invariant 53: not when the store fails in the middle either", async () => {
  const other = await startApi({ log: listening });
  const seen = logged.length;
  await other.store.close();
  const answer = await other.send("POST", SECRETS, { body: secret("late") });
  expect(answer.status).toBeGreaterThanOrEqual(500);
  expect(tracesIn(answer.text)).toEqual([]);
  await other.stop();
  expect(logged.length).toBeGreaterThan(seen);
  expect(logged.flatMap((line) => (tracesIn(line).length > 0 ? [line] : []))).toEqual([]);
});
